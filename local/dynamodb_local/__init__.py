"""DynamoDB Local by Amazon: its jars from Maven Central, and an in-memory server on 127.0.0.1."""
