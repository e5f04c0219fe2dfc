"""Methods to compare with: one file a method, none imports another, each registered under ``vibench.methods``."""
