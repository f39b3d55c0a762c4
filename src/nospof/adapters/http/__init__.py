"""HTTP as a client speaks it: one page at a time, or a load on a fixed schedule."""
