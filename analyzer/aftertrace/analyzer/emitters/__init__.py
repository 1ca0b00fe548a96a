"""What is known of the programs that send telemetry."""
