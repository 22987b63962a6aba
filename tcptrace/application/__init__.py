"""What the application said in the flows that have findings, where tshark is installed; nothing else needs it."""
