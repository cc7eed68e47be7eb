"""Mediation and moderation."""
