"""Certificates of one's own: what is named is looked at when the configuration is read."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from immich_sync.config import load, resolve
from immich_sync.core.errors import Misconfigured
from immich_sync.core.folder import NO_FILES, Tls

WRITE = Callable[[str], Path]
SERVER = '[server]\nurl = "https://nas"\napi_key_file = "{tmp}/key"\n'
FOLDER = '[[folders]]\npath = "{tmp}/photos"\n'


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with an authority, a certificate of a client's with its key, and another's key."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ours, other = authority.issue_cert("us@nas"), authority.issue_cert("them@nas")
    ours.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    ours.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    other.private_key_pem.write_to_path(str(tmp_path / "other.key"))
    ours.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "both.pem"))
    (tmp_path / "garbage").write_text("no certificate")
    return tmp_path


@pytest.mark.parametrize(
    "names",
    [
        {"ca_file": "ca.pem"},
        {"client_cert": "client.pem", "client_key": "client.key"},
        {"client_cert": "both.pem"},
        {"ca_file": "ca.pem", "client_cert": "both.pem"},
    ],
)
def test_the_files_arrive(write: WRITE, files: Path, names: dict[str, str]) -> None:
    """As absolute paths, in the account; an account without a url has the server's."""
    said = "".join(f'{key} = "{files / name}"\n' for key, name in names.items())
    anna = '[accounts.anna]\napi_key_file = "{tmp}/key"\n'

    setup = resolve(load(write(SERVER + said + anna + FOLDER + 'account = "anna"\n')))

    expected = Tls(**{key: str(files / name) for key, name in names.items()})
    assert [one.tls for one in setup.accounts] == [expected]


def test_another_server_is_shown_nothing_of_ours(write: WRITE, files: Path) -> None:
    """What `[server]` says of certificates is not meant for an account with a url of its own."""
    said = f'client_cert = "{files / "both.pem"}"\n'
    anna = '[accounts.anna]\nurl = "https://other"\napi_key_file = "{tmp}/key"\n'

    setup = resolve(load(write(SERVER + said + anna + FOLDER + 'account = "anna"\n')))

    assert [one.tls for one in setup.accounts] == [NO_FILES]


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ('ca_file = "{tmp}/none"', "ca_file: {tmp}/none cannot be read (No such file"),
        ('ca_file = "{tmp}"', "ca_file: {tmp} cannot be read (Is a directory)"),
        ('ca_file = "{tmp}/garbage"', "ca_file: {tmp}/garbage does not hold a certificate in PEM"),
        ('ca_file = "{tmp}/client.key"', "ca_file: {tmp}/client.key does not hold a certificate"),
        ('client_cert = "{tmp}/none"', "client_cert: {tmp}/none cannot be read"),
        ('client_cert = "{tmp}/garbage"', "client_cert: {tmp}/garbage does not hold a certificate"),
        ('client_cert = "{tmp}/client.pem"', "client.pem does not hold the certificate's private"),
        (
            'client_cert = "{tmp}/client.pem"\nclient_key = "{tmp}/other.key"',
            "client_key: the key in {tmp}/other.key does not belong to the client certificate",
        ),
        (
            'client_cert = "{tmp}/client.pem"\nclient_key = "{tmp}/none"',
            "client_key: {tmp}/none cannot be read",
        ),
        ('client_key = "{tmp}/client.key"', "client_key: client_cert is missing beside it"),
    ],
)
def test_a_file_of_no_use_is_one_sentence(
    write: WRITE, files: Path, said: str, sentence: str
) -> None:
    """It names the key and the file, and says what is wrong with it."""
    with pytest.raises(Misconfigured) as caught:
        resolve(load(write(f"{SERVER}{said}\n{FOLDER}")))

    assert sentence.replace("{tmp}", str(files)) in str(caught.value)


def test_a_key_with_a_passphrase_is_one_sentence(write: WRITE, files: Path) -> None:
    """Nobody is there to type it, so nobody is asked."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - of trustme's own

    plain = serialization.load_pem_private_key((files / "client.key").read_bytes(), None)
    (files / "client.key").write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret words"),
        )
    )
    said = f'client_cert = "{files}/client.pem"\nclient_key = "{files}/client.key"\n'

    with pytest.raises(Misconfigured, match="has a passphrase"):
        resolve(load(write(SERVER + said + FOLDER)))


def test_certificates_need_https(write: WRITE, files: Path) -> None:
    """They would do nothing, and look as if they did."""
    said = SERVER.replace("https", "http") + f'ca_file = "{files}/ca.pem"\n'

    with pytest.raises(Misconfigured, match="it is of no use with http://nas: write https://"):
        resolve(load(write(said + FOLDER)))


def test_there_is_no_way_to_trust_everybody() -> None:
    """Verification is on in every context that is made."""
    from immich_sync.immich.transport import trust  # noqa: PLC0415 - httpx is slow to import

    context = trust()

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
