"""Durable stories of named steps. Each can be killed anywhere and told again."""
