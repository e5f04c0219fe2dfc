"""`vibench speed`: latency, throughput, memory and energy of one method, and how they grow with pixels and frames."""
