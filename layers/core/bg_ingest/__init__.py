"""The code that all functions share: glucose readings from a provider into DynamoDB, and to callers."""
