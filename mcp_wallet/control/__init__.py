"""What operators do: homes, settings, policies, agents, payees, freezes."""
