"""A simulated tax authority: believable, and obedient when told to misbehave. For demo, development and tests."""

from adapters.simulator.behaviour import Behaviour, Refusal
from adapters.simulator.books import BooksError, Entry
from adapters.simulator.server import Simulator, SimulatorConfig

__all__ = ["Behaviour", "BooksError", "Entry", "Refusal", "Simulator", "SimulatorConfig"]
