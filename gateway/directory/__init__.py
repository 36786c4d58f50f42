"""Which agency a filing goes to: agencies, places and services as dated tables, and the route computed from them."""

from gateway.directory.directory import (
    OWN_DIRECTORY,
    Agency,
    Directory,
    DirectoryError,
    NoRoute,
    Route,
    load_directory,
)

__all__ = ["OWN_DIRECTORY", "Agency", "Directory", "DirectoryError", "NoRoute", "Route", "load_directory"]
