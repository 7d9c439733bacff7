"""Our own small Pulumi provider, and the gRPC server that it shares with the doubles of the clouds."""
