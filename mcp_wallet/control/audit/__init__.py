"""What an auditor asks of the trail: is it whole, show me one payment, would it be decided so again."""
