"""The stored form of an hour of readings in DynamoDB."""
