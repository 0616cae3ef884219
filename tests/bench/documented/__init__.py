"""The documented chat room, which the benchmark measures ours against."""
