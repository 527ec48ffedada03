"""What each vendor's SDK bills, where its usage sits and how its streams end."""
