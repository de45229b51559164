"""Amazon's own DynamoDB Local: its jars from Maven Central, and a server in memory on this machine only."""
