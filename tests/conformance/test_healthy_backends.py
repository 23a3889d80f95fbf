"""What the broken backends are broken from keeps every law, so a law that fails there fails for what was broken."""

from broken.healthy import Cable, Desk, Notebook, Slate

from polaris_core.testing import StorageConformance


class TestSlate(StorageConformance):
    opener = f"{Slate.__module__}:Slate"
    persistent = False
    shared = False


class TestDesk(StorageConformance):
    opener = f"{Desk.__module__}:Desk"
    capabilities = Desk.capabilities
    persistent = False
    shared = False


class TestCable(StorageConformance):
    opener = f"{Cable.__module__}:Cable"
    persistent = False
    shared = False


class TestNotebook(StorageConformance):
    opener = f"{Notebook.__module__}:Notebook"
    file = "notebook"
    capabilities = Notebook.capabilities
