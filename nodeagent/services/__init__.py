"""What an agent answers: one service per noun, each a set of handlers for the dispatcher."""
