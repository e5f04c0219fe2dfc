"""The network, one file a part of the paper's figure 2; `vinet.network.vinet` puts the parts together."""
