"""The API key of the Materials Project: from the environment or a file that only its owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from hightc.launch.sources.errors import SourceKeyError
from hightc.makers.settings import settings_file

VARIABLE: Final = "MP_API_KEY"
FILE_NAME: Final = "mp_api_key"
LENGTH: Final = 32
OBTAIN: Final = "a key is shown at https://next-gen.materialsproject.org/api to whoever is logged in"


def read_api_key(key_file: str | None, folder: Path) -> SecretStr:
    """Find the key: in the file that is named, else in the environment, else in ``mp_api_key`` beside the settings.

    Parameters
    ----------
    key_file
        Name of a file that holds the key alone, relative to the folder; None: look in the other places.
    folder
        Folder of the campaign file.

    Returns
    -------
    SecretStr
        The key; its text is not shown by print or repr.

    Raises
    ------
    SourceKeyError
        If there is none, it is no key, or others can read its file. The message never holds the key.
    """
    default = settings_file().with_name(FILE_NAME)
    if key_file is not None:
        return _checked(_read(folder / Path(key_file).expanduser()), key_file)
    if os.environ.get(VARIABLE):
        return _checked(os.environ[VARIABLE], VARIABLE)
    if default.exists():
        return _checked(_read(default), str(default))
    msg = (
        f"Materials Project: no API key: expected it in {VARIABLE}, or in {default} with mode 0600, or key_file = "
        f"'FILE' in [[sources]]: {OBTAIN}"
    )
    raise SourceKeyError(msg)


def _read(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if mode & 0o077:
                msg = f"{path}: holds an API key but has mode {mode:04o}: expected 0600: run: chmod 600 {path}"
                raise SourceKeyError(msg)
            return stream.read(1000)
    except (OSError, ValueError) as error:  # a name with a null byte is no text either
        reason = error.strerror if isinstance(error, OSError) else "no text"
        msg = f"{path}: expected a file with the API key, found {reason}: {OBTAIN}"
        raise SourceKeyError(msg) from None


def _checked(text: str, where: str) -> SecretStr:
    key = text.strip()
    if len(key) != LENGTH or not (key.isascii() and key.isalnum()):
        msg = f"{where}: expected a key of {LENGTH} letters and digits, found {len(key)} characters: {OBTAIN}"
        raise SourceKeyError(msg)
    return SecretStr(key)
