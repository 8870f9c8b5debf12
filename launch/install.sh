# Functions of launch/demo and launch/test; the current folder is the repository.

say() { printf '%s\n' "hightc: $*"; }

fail() {
    printf '%s\n' "hightc: $*" >&2
    exit 2
}

find_python() {
    for name in python3.11 python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is not on PATH: install it (Debian: apt-get install python3 python3-venv)"
}

# install_python_packages [EXTRA]: .venv with the versions of constraints.txt, anew only when they change
install_python_packages() {
    [ "${1:-}" ] && target=".[$1]" || target="."
    stamp=".venv/installed-${1:-base}"
    state=$(cat pyproject.toml constraints.txt | cksum)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ]; then return; fi
    say "installing Python packages into .venv (a minute or two)"
    python=$(find_python)
    if command -v uv >/dev/null 2>&1; then
        [ -x .venv/bin/python ] || uv venv --quiet --seed --python "$python" .venv
        uv pip install --quiet --python .venv/bin/python --constraint constraints.txt --editable "$target"
    else
        [ -x .venv/bin/python ] || "$python" -m venv .venv ||
            fail "no virtual environment: install it (Debian: apt-get install python3-venv)"
        .venv/bin/python -m pip install --quiet --disable-pip-version-check \
            --constraint constraints.txt --editable "$target"
    fi
    printf '%s' "$state" >"$stamp"
}

# apt_install PACKAGE...: as root or with sudo that asks for nothing; false where neither works
apt_install() {
    command -v apt-get >/dev/null 2>&1 || return 1
    if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo -n"; else return 1; fi
    log=$(mktemp)
    if ! $as_root env DEBIAN_FRONTEND=noninteractive sh -c \
        'apt-get update -q && apt-get install -q -y --no-install-recommends "$@"' apt "$@" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

have_espresso() {
    for program in pw.x ph.x q2r.x matdyn.x epw.x; do
        command -v "$program" >/dev/null 2>&1 || return 1
    done
    command -v mpirun >/dev/null 2>&1
}

install_espresso() {
    if ! have_espresso; then
        say "installing Quantum ESPRESSO"
        apt_install quantum-espresso quantum-espresso-data openmpi-bin ||
            fail "Quantum ESPRESSO is missing and cannot be installed from here. Install it as root:
    apt-get install quantum-espresso quantum-espresso-data openmpi-bin     (Debian, Ubuntu)
    conda install -c conda-forge qe                                        (anywhere)
or load your centre's module, so that pw.x, ph.x, q2r.x, matdyn.x, epw.x and mpirun are on PATH; then run this again."
    fi
    if [ ! -d /usr/share/espresso/pseudo ]; then
        say "installing the pseudopotentials of the quickstart"
        apt_install quantum-espresso-data ||
            fail "the two pseudopotentials of the quickstart come with Debian's quantum-espresso-data, which cannot be
installed from here. Aluminium with PseudoDojo, in about four minutes:
    .venv/bin/hightc pseudos install pseudo-dojo
    .venv/bin/hightc run launch/examples/pseudo-dojo.toml"
    fi
}

install_elk() {
    command -v elk-lapw >/dev/null 2>&1 || {
        say "installing Elk, whose Eliashberg solver the tests compare with"
        apt_install elk-lapw || say "Elk is missing (Debian: apt-get install elk-lapw): one test is skipped"
    }
}

install_browser() {
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || {
        say "installing Chromium, for the tests of the report page"
        apt_install chromium || fail "Chromium is missing: install it (Debian: apt-get install chromium)"
    }
}

have_slurm() {
    for program in slurmctld slurmd munged sbatch; do
        PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null 2>&1 || return 1
    done
}

install_slurm() {
    have_slurm || {
        say "installing Slurm, for the tests of jobs in a queue"
        apt_install slurm-wlm munge || say "Slurm is missing (Debian: apt-get install slurm-wlm munge): its tests are skipped"
    }
}
