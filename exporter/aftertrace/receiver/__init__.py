"""OTLP over gRPC and HTTP into the WAL, and nothing else."""
