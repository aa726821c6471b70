"""A whole wing in one process and in virtual time: from a scenario's seed to a plan, from a plan to what happened."""
