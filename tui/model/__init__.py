"""What is shown and what is meant: values and pure functions, without a terminal or a network."""
