"""What is stored and where; the only room with SQL. Never touches an instance's bytes."""
