"""What both HTTP servers share: the port and the errors, the limits, the database and its tables."""
