"""When somebody is told: one file a part of the system."""
