"""The stored form of an hour of readings: an item of a DynamoDB table."""
