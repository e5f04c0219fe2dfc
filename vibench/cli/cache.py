"""The commands ``vibench cache show`` and ``vibench cache clear``: what is kept on disk to save time."""

from __future__ import annotations

import typer

cache = typer.Typer(name="cache", help="Show or empty the cache of optical flow and features.", no_args_is_help=True)


@cache.command()
def show() -> None:
    """Print where the cache lies, and how many files and bytes it holds of each kind.

    It lies in the user's cache folder, or where VIBENCH_CACHE says. VIBENCH_CACHE_BYTES says how large each kind may
    become, 2 GB by default; what was used longest ago is removed first.
    """
    import vibench

    typer.echo(f"place: {vibench.cache_root()}")
    found = vibench.cache_state()
    for kind, files, size in found:
        typer.echo(f"{kind:<12}  {files:>6} files  {_megabytes(size):>10}")
    total = sum(state.size_bytes for state in found)
    typer.echo(f"{'all':<12}  {sum(state.files for state in found):>6} files  {_megabytes(total):>10}")


@cache.command()
def clear() -> None:
    """Remove every file of the cache. Nothing is lost but time: what is needed again is computed again."""
    import vibench

    removed = vibench.clear_cache()
    typer.echo(f"removed {removed.files} files, {_megabytes(removed.size_bytes)}, from {vibench.cache_root()}")


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB"
