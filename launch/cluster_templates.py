"""The files of a cluster as they are first written, with examples for the usual shapes of a job."""

from __future__ import annotations

from string import Template
from typing import Final, Literal

QueueSystem = Literal["slurm", "pbs"]

_QADAPTER_HEAD = """\
# What one job of cluster $name asks the queue for: a file of FireWorks' CommonAdapter.
# Every key of FireWorks' template may be added; null leaves a line out of the batch script.
_fw_name: CommonAdapter
"""

_QADAPTER_END = """\
# Shell lines before the calculation; hightc puts its settings and the start time before them.
pre_rocket: $source
post_rocket: null
# hightc cluster launch fills this in: which program takes fireworks, and until when.
rocket_launch: null
"""

SLURM: Final = Template(
    _QADAPTER_HEAD
    + """\
_fw_q_type: SLURM
_fw_timeout: 30

# One node; MPI processes are tasks, so ph.x and pw.x share their k points among them (pools, -nk).
nodes: $nodes
ntasks_per_node: $processes_per_node
cpus_per_task: 1
walltime: '$walltime'
queue: $queue
account: $account
job_name: hightc-$name
# mem_per_cpu: 3800M
# qos: normal
# constraint: cascadelake

# Many nodes for one large cell: 4 nodes with 48 processes each are 192 processes. hightc gives every pool one process
# as long as there are k points enough; where memory runs out it starts again with fewer pools by itself.
#   nodes: 4
#   ntasks_per_node: 48
# Threads beside processes (their number is taken over as HIGHTC_THREADS):
#   ntasks_per_node: 12
#   cpus_per_task: 4
# Reservation mode (hightc cluster launch --reserve) submits one job a step, which asks for the nodes, processes, time
# and memory of that step where they can be estimated: what stands here is the most that a job may have.

"""
    + _QADAPTER_END
)

PBS: Final = Template(
    _QADAPTER_HEAD
    + """\
_fw_q_type: PBS
_fw_timeout: 30

# One node; a centre with 'select' instead of 'nodes' needs a template of its own: _fw_template_file: /path/to/file
nnodes: $nodes
ppnode: $processes_per_node
walltime: '$walltime'
queue: $queue
account: $account
job_name: hightc-$name
# pmem: 3800mb

# Many nodes for one large cell: 4 nodes with 48 processes each are 192 processes in pools of k points.
#   nnodes: 4
#   ppnode: 48

"""
    + _QADAPTER_END
)

QADAPTERS: Final[dict[QueueSystem, Template]] = {"slurm": SLURM, "pbs": PBS}

FWORKER: Final = Template("""\
# Which fireworks jobs of cluster $name run, and how.
name: $name
# Categories of steps that jobs here take: a list of serial (seconds on one core), small (below ten minutes on one
# core), parallel (above, or not known) and epw (the Wannier route); '' takes all.
category: $category
# Further conditions on fireworks in MongoDB's language; the campaign is added to them.
query: '{}'
env:
  # true: the nodes cannot reach the database; inputs and outputs travel in files of each step's folder.
  offline: $offline
  # Jobs of one campaign in the queue at a time.
  max_jobs: $max_jobs
  # Memory of a node in MB: a step that needs more for one process is not taken. With --reserve or --pack others get no
  # more processes than it holds; without, every step has all processes of the job, whatever memory they need.
  memory_mb_per_node: $memory
""")

ENVIRONMENT: Final = Template("""\
# Read by the shell of each job of cluster $name before the calculation starts. Python and hightc are found without it.
# HIGHTC_PROCESSES and HIGHTC_THREADS are taken from the job, unless they are set here.

# Modules of the centre:
#   module load quantum-espresso/7.4
# Programs that are not on PATH:
#   export HIGHTC_PW_COMMAND=/opt/qe/bin/pw.x HIGHTC_PH_COMMAND=/opt/qe/bin/ph.x
# How MPI is started; {processes} is replaced. mpirun (the default) knows the nodes of the job at most centres:
#   export HIGHTC_MPI_COMMAND='srun --ntasks={processes}'
# Images of ph.x are not needed: hightc runs groups of q points in jobs of their own (q_jobs of the campaign).
""")
