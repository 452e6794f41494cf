"""The JSON of alerts: rules, alerts with their timelines, channels and what goes out there."""
