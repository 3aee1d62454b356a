"""Channels that carry notices: e-mail through Amazon SNS, Microsoft Teams and Slack through their webhooks.

Tickets are made by each PSA's own folder.
"""
