"""VINet, deep video inpainting (Kim et al., CVPR 2019): the published network and compact ones of its kind."""
