"""The metrics that come with vibench, one file each; they are registered by entry points like anyone's."""
