"""ssi makes the Linux machines that a person reaches over SSH behave as one computer.

From the top: faces (:mod:`ssi.cli`, the packages ``shell`` and ``tui``) ask through
:mod:`ssi.client` and show through :mod:`ssi.view`; :mod:`ssi.transport` carries what
:mod:`ssi.protocol` defines; :mod:`ssi.mesh` and :mod:`ssi.policy` decide; :mod:`ssi.model` holds
the values. :mod:`ssi.deploy` puts agents (the package ``nodeagent``) on hosts, and :mod:`ssi.lab`
makes hosts to try it on. ``docs/architecture.md`` has the picture.
"""
