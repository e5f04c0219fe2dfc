"""A run from Python: two methods on the bundled clips, their values as a data frame, and a plot of them.

Run it anywhere: python docs/examples/run_a_protocol.py (a second time nothing is made twice)
"""

import matplotlib

import vibench

matplotlib.use("Agg")

run = vibench.run("bundled", ["telea", "last_seen"], metrics=["psnr", "seam"], cases="carphone", device="cpu")
print(run)

# One row a method, case, metric and region.
values = run.values
print(values[["method", "case", "metric", "region", "value"]].to_string(index=False))

# Means with 95 % intervals over clips, as the report shows them.
print(run.table()[["method", "metric", "region", "mean", "low", "high", "clips"]].to_string(index=False))

wide = values[(values.metric == "psnr") & (values.region == "hole")].pivot(
    index="case", columns="method", values="value"
)
axes = wide.plot.barh(xlabel="PSNR in the hole, dB", figsize=(7, 2.5))
axes.figure.savefig("psnr.png", bbox_inches="tight")

# One method against the other, clip by clip.
for comparison in vibench.compare(f"{run.folder}::telea", f"{run.folder}::last_seen"):
    for finding in comparison.findings:
        print(f"{finding.key:<14} last_seen is {finding.verdict} {finding.reason}")
