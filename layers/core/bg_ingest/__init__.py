"""Everything the functions share: glucose readings from Dexcom into DynamoDB, and out again."""
