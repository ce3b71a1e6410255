"""Donors by e-mail: logging in by a link that is good once, and having enough of news."""
