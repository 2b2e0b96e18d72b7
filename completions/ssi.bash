# Completions of ssi for bash. Written by `ssi completion bash`; not to be edited.

declare -gA _ssi_verbs=(
    [' ']='up down nodes events ps top free uptime run jobs wait logs attach disown stop cont kill freeze thaw migrate checkpoint checkpoints restore clone adopt why cordon uncordon drain cp ls cat tail clients mount umount srun sbatch squeue scancel sinfo metrics doctor explain man schema lab tour completion'
    [' checkpoints']=rm
    [' clients']=revoke
    [' lab']='up status ssh down kill pause resume cut heal'
    [' completion']='show install'
)
declare -gA _ssi_help=(
    [' up']='Make hosts nodes: twice is harmless, and repairs or updates them.'
    [' down']='Take ssi off hosts: no process and no file of it is left there.'
    [' nodes']='Show the nodes with their state, load, memory, and the age of each...'
    [' events']='Show what happened to the nodes: joins, suspicions, refutations,...'
    [' ps']='Show the processes of all nodes.'
    [' top']='Show the nodes and all their processes, and act on them, with the...'
    [' free']='Show the memory of each node, and the sum.'
    [' uptime']='Show how long each node is up, its load, and the sum.'
    [' run']='Run a command on a node, as yourself; on a terminal it gets one.'
    [' jobs']='Show your jobs; as root, everyone'"'"'s.'
    [' wait']='Wait for jobs to end; the exit status is the last one'"'"'s, as bash'"'"'s...'
    [' logs']='Show the output of detached jobs: stdout on stdout, stderr on...'
    [' attach']='Join a running job: see what it writes and write to it, until it...'
    [' disown']='Let foreground jobs go on when the `ssi run` that started them ends.'
    [' stop']='Stop processes; a job'"'"'s own gpid means all of its processes.'
    [' cont']='Let stopped processes go on.'
    [' kill']='Send a signal, TERM by default, to processes.'
    [' freeze']='Hold jobs where they are; unlike with `ssi stop`, their processes...'
    [' thaw']='Let frozen jobs go on.'
    [' migrate']='Move running jobs to another node: all of their processes, with...'
    [' checkpoint']='Keep running jobs as they are now, each on its node; they go on.'
    [' checkpoints']='Show the checkpoints of all nodes; `rm NAME...` removes some.'
    [' checkpoints rm']='Remove checkpoints.'
    [' restore']='Let checkpoints run again, as the jobs that they were.'
    [' clone']='Make second jobs of running ones, with gpids of their own; all go on.'
    [' adopt']='Make jobs of processes that ssi did not start, with all of their...'
    [' why']='Show where jobs could move: each node with its score, and what...'
    [' cordon']='Place nothing on nodes any more unless they are named; what runs...'
    [' uncordon']='Let placement take nodes again.'
    [' drain']='Cordon a node and move its jobs to others; ^C finishes what is...'
    [' cp']='Copy files between nodes, or this machine and nodes: ssi cp n1:/a...'
    [' ls']='List files of nodes: ssi ls -l n1:/etc.'
    [' cat']='Show files of nodes: ssi cat n1:/etc/hostname.'
    [' tail']='Show the end of files of nodes: ssi tail -f n1..3:/var/log/syslog.'
    [' clients']='Show the keys that the nodes let in; `revoke KEY...` ends some.'
    [' clients revoke']='Let keys in no more, on no node; whoever has one is cut off at...'
    [' mount']='Mount a node'"'"'s files, or show what is mounted where.'
    [' umount']='Take a mount of another node'"'"'s files away, whoever uses it.'
    [' srun']='Run processes on nodes, as Slurm'"'"'s srun does; there is no queue,...'
    [' sbatch']='Start a script as a job of its own, as Slurm'"'"'s sbatch does: at...'
    [' squeue']='Show the jobs that live, as Slurm'"'"'s squeue does.'
    [' scancel']='End jobs, as Slurm'"'"'s scancel does: those that are named, or all of...'
    [' sinfo']='Show the nodes by their condition, as Slurm'"'"'s sinfo does.'
    [' metrics']='Show how all nodes fare in the text format of Prometheus, or serve...'
    [' doctor']='Examine this machine and the nodes: what is missing, and how to...'
    [' explain']='Explain errors by their codes: what happened, why it may have, and...'
    [' man']='Show the manual of a verb; `--install` puts all of it where your...'
    [' schema']='Show the schema of -o json, with its version, as JSON Schema.'
    [' lab']='Throwaway Linux hosts on this machine, to try ssi on.'
    [' lab up']='Start hosts n1 to nN, or add and repair some: twice is harmless.'
    [' lab status']='Show the labs of this machine, and how each of their hosts is.'
    [' lab ssh']='Log in to a host, or run a command there; the exit status is the...'
    [' lab down']='Remove a lab: its processes, interfaces, namespaces and disks.'
    [' lab kill']='Kill a host as if its power failed; `ssi lab up` boots it again.'
    [' lab pause']='Freeze a host as if it hung.'
    [' lab resume']='Let a paused host run on.'
    [' lab cut']='Pull a host'"'"'s network cable; it runs on.'
    [' lab heal']='Plug a host'"'"'s network cable in again.'
    [' tour']='Show ssi at work: three hosts, one process table, a program moved...'
    [' completion']='Completions for bash, zsh and fish; `install` puts them where your...'
    [' completion show']='Print the completions for a shell, to be sourced or put somewhere.'
    [' completion install']='Write the completions where your shell finds them, and say where;...'
)
declare -gA _ssi_flags=(
    [' ']='--version --quiet -q --debug --color --timeout --help -h'
    [' up']='--retry --agent-only --accept-new --profile --inventory -i --lab --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' down']='--yes -y --force -f --forget --accept-new --lab --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' nodes']='--output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' events']='--follow -f --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' ps']='--user -u --nodes --node -n --jobs -j --threads -L --tree --forest --columns --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' top']='--once --readonly --every --quiet -q --debug --color --timeout --help -h'
    [' free']='--nodes --node -n --bytes -b --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' uptime']='--nodes --node -n --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' run']='--nodes --node -n --fold -b --fanout -f --max-fails --stdin --stdin-all --tty -t --no-tty -T --detach -d --env -e --cwd --escape --bind --root --lease --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' jobs']='--nodes --node -n --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' wait']='--output -o --json --quiet -q --debug --color --timeout --help -h'
    [' logs']='--follow -f --quiet -q --debug --color --timeout --help -h'
    [' attach']='--read-only -r --escape --quiet -q --debug --color --timeout --help -h'
    [' disown']='--output -o --json --quiet -q --debug --color --timeout --help -h'
    [' stop']='--output -o --json --quiet -q --debug --color --timeout --help -h'
    [' cont']='--output -o --json --quiet -q --debug --color --timeout --help -h'
    [' kill']='--signal -s --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' freeze']='--output -o --json --quiet -q --debug --color --timeout --help -h'
    [' thaw']='--output -o --json --quiet -q --debug --color --timeout --help -h'
    [' migrate']='--to --dry-run --parallel -j --live --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' checkpoint']='--name -o --stop --json --quiet -q --debug --color --timeout --help -h'
    [' checkpoints']='--nodes --node -n --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' checkpoints rm']='--quiet -q --debug --color --timeout --help -h'
    [' restore']='--nodes --node -n --new --files --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' clone']='--nodes --node -n --share-files --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' adopt']='--dry-run --force --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' why']='--output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' cordon']='--output -o --json --quiet -q --debug --color --timeout --help -h'
    [' uncordon']='--output -o --json --quiet -q --debug --color --timeout --help -h'
    [' drain']='--parallel -j --output -o --json --quiet -q --debug --color --timeout --help -h'
    [' cp']='--recursive -r -R --archive -a --preserve -p --no-clobber -n --verbose -v --progress --no-progress --quiet -q --debug --color --timeout --help -h'
    [' ls']='--long -l --all -a -A --directory -d --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' cat']='--quiet -q --debug --color --timeout --help -h'
    [' tail']='--lines -n --follow -f -F --quiet -q --debug --color --timeout --help -h'
    [' clients']='--nodes --node -n --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' clients revoke']='--quiet -q --debug --color --timeout --help -h'
    [' mount']='--on --cache --sync --deadline --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' umount']='--on --quiet -q --debug --color --timeout --help -h'
    [' srun']='--ntasks -n --nodes -N --cpus-per-task -c --mem --gres --nodelist -w --exclude -x --job-name -J --output -o --error -e --label -l --pty --quiet -q --debug --color --timeout --help -h'
    [' sbatch']='--ntasks -n --nodes -N --cpus-per-task -c --mem --gres --nodelist -w --exclude -x --job-name -J --output -o --error -e --wrap --parsable --quiet -q --debug --color --timeout --help -h'
    [' squeue']='--user -u --me --nodelist -w --jobs -j --output -o --json --no-headers --sort --watch --every --quiet -q --debug --color --timeout --help -h'
    [' scancel']='--user -u --me --nodelist -w --signal -s --quiet -q --debug --color --timeout --help -h'
    [' sinfo']='--nodelist -w --output -o --json --no-headers --sort --watch --every --quiet -q --debug --color --timeout --help -h'
    [' metrics']='--listen -l --quiet -q --debug --color --timeout --help -h'
    [' doctor']='--all -a --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' explain']='--output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --help -h'
    [' man']='--roff --install --quiet -q --debug --color --help -h'
    [' schema']='--quiet -q --debug --color --help -h'
    [' lab']='--help -h'
    [' lab up']='--name --subnet --systemd --quiet -q --debug --color --timeout --help -h'
    [' lab status']='--name --output -o --json --no-headers --sort --watch -w --every --quiet -q --debug --color --timeout --help -h'
    [' lab ssh']='--name --user -l --print --quiet -q --debug --color --timeout --help -h'
    [' lab down']='--name --all --quiet -q --debug --color --timeout --help -h'
    [' lab kill']='--name --quiet -q --debug --color --timeout --help -h'
    [' lab pause']='--name --quiet -q --debug --color --timeout --help -h'
    [' lab resume']='--name --quiet -q --debug --color --timeout --help -h'
    [' lab cut']='--name --quiet -q --debug --color --timeout --help -h'
    [' lab heal']='--name --quiet -q --debug --color --timeout --help -h'
    [' tour']='--size --down --quiet -q --debug --color --timeout --help -h'
    [' completion']='--help -h'
    [' completion show']='--quiet -q --debug --color --help -h'
    [' completion install']='--quiet -q --debug --color --help -h'
)
declare -gA _ssi_takes=(
    ['  --color']='=auto always never'
    ['  --timeout']=nothing
    [' up --profile']='=lan wan'
    [' up --inventory']=files
    [' up -i']=files
    [' up --lab']=nothing
    [' up --output']='=table wide json jsonl yaml name'
    [' up -o']='=table wide json jsonl yaml name'
    [' up --color']='=auto always never'
    [' up --timeout']=nothing
    [' down --lab']=nothing
    [' down --output']='=table wide json jsonl yaml name'
    [' down -o']='=table wide json jsonl yaml name'
    [' down --color']='=auto always never'
    [' down --timeout']=nothing
    [' nodes --output']='=table wide json jsonl yaml name'
    [' nodes -o']='=table wide json jsonl yaml name'
    [' nodes --sort']=nothing
    [' nodes --every']=nothing
    [' nodes --color']='=auto always never'
    [' nodes --timeout']=nothing
    [' events --output']='=table wide json jsonl yaml name'
    [' events -o']='=table wide json jsonl yaml name'
    [' events --sort']=nothing
    [' events --every']=nothing
    [' events --color']='=auto always never'
    [' events --timeout']=nothing
    [' ps --user']=nothing
    [' ps -u']=nothing
    [' ps --nodes']=nodes
    [' ps --node']=nodes
    [' ps -n']=nodes
    [' ps --columns']=nothing
    [' ps --output']='=table wide json jsonl yaml name'
    [' ps -o']='=table wide json jsonl yaml name'
    [' ps --sort']=nothing
    [' ps --every']=nothing
    [' ps --color']='=auto always never'
    [' ps --timeout']=nothing
    [' top --every']=nothing
    [' top --color']='=auto always never'
    [' top --timeout']=nothing
    [' free --nodes']=nodes
    [' free --node']=nodes
    [' free -n']=nodes
    [' free --output']='=table wide json jsonl yaml name'
    [' free -o']='=table wide json jsonl yaml name'
    [' free --sort']=nothing
    [' free --every']=nothing
    [' free --color']='=auto always never'
    [' free --timeout']=nothing
    [' uptime --nodes']=nodes
    [' uptime --node']=nodes
    [' uptime -n']=nodes
    [' uptime --output']='=table wide json jsonl yaml name'
    [' uptime -o']='=table wide json jsonl yaml name'
    [' uptime --sort']=nothing
    [' uptime --every']=nothing
    [' uptime --color']='=auto always never'
    [' uptime --timeout']=nothing
    [' run --nodes']=nodes
    [' run --node']=nodes
    [' run -n']=nodes
    [' run --fanout']=nothing
    [' run -f']=nothing
    [' run --max-fails']=nothing
    [' run --stdin']=nodes
    [' run --env']=nothing
    [' run -e']=nothing
    [' run --cwd']=files
    [' run --escape']=nothing
    [' run --bind']=places
    [' run --root']='=auto home local'
    [' run --lease']=nothing
    [' run --output']='=table wide json jsonl yaml name'
    [' run -o']='=table wide json jsonl yaml name'
    [' run --color']='=auto always never'
    [' run --timeout']=nothing
    [' jobs --nodes']=nodes
    [' jobs --node']=nodes
    [' jobs -n']=nodes
    [' jobs --output']='=table wide json jsonl yaml name'
    [' jobs -o']='=table wide json jsonl yaml name'
    [' jobs --sort']=nothing
    [' jobs --every']=nothing
    [' jobs --color']='=auto always never'
    [' jobs --timeout']=nothing
    [' wait --output']='=table wide json jsonl yaml name'
    [' wait -o']='=table wide json jsonl yaml name'
    [' wait --color']='=auto always never'
    [' wait --timeout']=nothing
    [' logs --color']='=auto always never'
    [' logs --timeout']=nothing
    [' attach --escape']=nothing
    [' attach --color']='=auto always never'
    [' attach --timeout']=nothing
    [' disown --output']='=table wide json jsonl yaml name'
    [' disown -o']='=table wide json jsonl yaml name'
    [' disown --color']='=auto always never'
    [' disown --timeout']=nothing
    [' stop --output']='=table wide json jsonl yaml name'
    [' stop -o']='=table wide json jsonl yaml name'
    [' stop --color']='=auto always never'
    [' stop --timeout']=nothing
    [' cont --output']='=table wide json jsonl yaml name'
    [' cont -o']='=table wide json jsonl yaml name'
    [' cont --color']='=auto always never'
    [' cont --timeout']=nothing
    [' kill --signal']=nothing
    [' kill -s']=nothing
    [' kill --output']='=table wide json jsonl yaml name'
    [' kill -o']='=table wide json jsonl yaml name'
    [' kill --color']='=auto always never'
    [' kill --timeout']=nothing
    [' freeze --output']='=table wide json jsonl yaml name'
    [' freeze -o']='=table wide json jsonl yaml name'
    [' freeze --color']='=auto always never'
    [' freeze --timeout']=nothing
    [' thaw --output']='=table wide json jsonl yaml name'
    [' thaw -o']='=table wide json jsonl yaml name'
    [' thaw --color']='=auto always never'
    [' thaw --timeout']=nothing
    [' migrate --to']=nodes
    [' migrate --parallel']=nothing
    [' migrate -j']=nothing
    [' migrate --live']='=stop pre post'
    [' migrate --output']='=table wide json jsonl yaml name'
    [' migrate -o']='=table wide json jsonl yaml name'
    [' migrate --color']='=auto always never'
    [' migrate --timeout']=nothing
    [' checkpoint --name']=nothing
    [' checkpoint -o']=nothing
    [' checkpoint --color']='=auto always never'
    [' checkpoint --timeout']=nothing
    [' checkpoints --nodes']=nodes
    [' checkpoints --node']=nodes
    [' checkpoints -n']=nodes
    [' checkpoints --output']='=table wide json jsonl yaml name'
    [' checkpoints -o']='=table wide json jsonl yaml name'
    [' checkpoints --sort']=nothing
    [' checkpoints --every']=nothing
    [' checkpoints --color']='=auto always never'
    [' checkpoints --timeout']=nothing
    [' checkpoints rm --color']='=auto always never'
    [' checkpoints rm --timeout']=nothing
    [' restore --nodes']=nodes
    [' restore --node']=nodes
    [' restore -n']=nodes
    [' restore --files']='=same rewind as-is'
    [' restore --output']='=table wide json jsonl yaml name'
    [' restore -o']='=table wide json jsonl yaml name'
    [' restore --color']='=auto always never'
    [' restore --timeout']=nothing
    [' clone --nodes']=nodes
    [' clone --node']=nodes
    [' clone -n']=nodes
    [' clone --output']='=table wide json jsonl yaml name'
    [' clone -o']='=table wide json jsonl yaml name'
    [' clone --color']='=auto always never'
    [' clone --timeout']=nothing
    [' adopt --output']='=table wide json jsonl yaml name'
    [' adopt -o']='=table wide json jsonl yaml name'
    [' adopt --color']='=auto always never'
    [' adopt --timeout']=nothing
    [' why --output']='=table wide json jsonl yaml name'
    [' why -o']='=table wide json jsonl yaml name'
    [' why --sort']=nothing
    [' why --every']=nothing
    [' why --color']='=auto always never'
    [' why --timeout']=nothing
    [' cordon --output']='=table wide json jsonl yaml name'
    [' cordon -o']='=table wide json jsonl yaml name'
    [' cordon --color']='=auto always never'
    [' cordon --timeout']=nothing
    [' uncordon --output']='=table wide json jsonl yaml name'
    [' uncordon -o']='=table wide json jsonl yaml name'
    [' uncordon --color']='=auto always never'
    [' uncordon --timeout']=nothing
    [' drain --parallel']=nothing
    [' drain -j']=nothing
    [' drain --output']='=table wide json jsonl yaml name'
    [' drain -o']='=table wide json jsonl yaml name'
    [' drain --color']='=auto always never'
    [' drain --timeout']=nothing
    [' cp --color']='=auto always never'
    [' cp --timeout']=nothing
    [' ls --output']='=table wide json jsonl yaml name'
    [' ls -o']='=table wide json jsonl yaml name'
    [' ls --sort']=nothing
    [' ls --every']=nothing
    [' ls --color']='=auto always never'
    [' ls --timeout']=nothing
    [' cat --color']='=auto always never'
    [' cat --timeout']=nothing
    [' tail --lines']=nothing
    [' tail -n']=nothing
    [' tail --color']='=auto always never'
    [' tail --timeout']=nothing
    [' clients --nodes']=nodes
    [' clients --node']=nodes
    [' clients -n']=nodes
    [' clients --output']='=table wide json jsonl yaml name'
    [' clients -o']='=table wide json jsonl yaml name'
    [' clients --sort']=nothing
    [' clients --every']=nothing
    [' clients --color']='=auto always never'
    [' clients --timeout']=nothing
    [' clients revoke --color']='=auto always never'
    [' clients revoke --timeout']=nothing
    [' mount --on']=nodes
    [' mount --cache']=nothing
    [' mount --deadline']=nothing
    [' mount --output']='=table wide json jsonl yaml name'
    [' mount -o']='=table wide json jsonl yaml name'
    [' mount --sort']=nothing
    [' mount --every']=nothing
    [' mount --color']='=auto always never'
    [' mount --timeout']=nothing
    [' umount --on']=nodes
    [' umount --color']='=auto always never'
    [' umount --timeout']=nothing
    [' srun --ntasks']=nothing
    [' srun -n']=nothing
    [' srun --nodes']=nothing
    [' srun -N']=nothing
    [' srun --cpus-per-task']=nothing
    [' srun -c']=nothing
    [' srun --mem']=nothing
    [' srun --gres']=nothing
    [' srun --nodelist']=nodes
    [' srun -w']=nodes
    [' srun --exclude']=nodes
    [' srun -x']=nodes
    [' srun --job-name']=nothing
    [' srun -J']=nothing
    [' srun --output']=nothing
    [' srun -o']=nothing
    [' srun --error']=nothing
    [' srun -e']=nothing
    [' srun --color']='=auto always never'
    [' srun --timeout']=nothing
    [' sbatch --ntasks']=nothing
    [' sbatch -n']=nothing
    [' sbatch --nodes']=nothing
    [' sbatch -N']=nothing
    [' sbatch --cpus-per-task']=nothing
    [' sbatch -c']=nothing
    [' sbatch --mem']=nothing
    [' sbatch --gres']=nothing
    [' sbatch --nodelist']=nodes
    [' sbatch -w']=nodes
    [' sbatch --exclude']=nodes
    [' sbatch -x']=nodes
    [' sbatch --job-name']=nothing
    [' sbatch -J']=nothing
    [' sbatch --output']=nothing
    [' sbatch -o']=nothing
    [' sbatch --error']=nothing
    [' sbatch -e']=nothing
    [' sbatch --wrap']=nothing
    [' sbatch --color']='=auto always never'
    [' sbatch --timeout']=nothing
    [' squeue --user']=nothing
    [' squeue -u']=nothing
    [' squeue --nodelist']=nodes
    [' squeue -w']=nodes
    [' squeue --jobs']=nothing
    [' squeue -j']=nothing
    [' squeue --output']='=table wide json jsonl yaml name'
    [' squeue -o']='=table wide json jsonl yaml name'
    [' squeue --sort']=nothing
    [' squeue --every']=nothing
    [' squeue --color']='=auto always never'
    [' squeue --timeout']=nothing
    [' scancel --user']=nothing
    [' scancel -u']=nothing
    [' scancel --nodelist']=nodes
    [' scancel -w']=nodes
    [' scancel --signal']=nothing
    [' scancel -s']=nothing
    [' scancel --color']='=auto always never'
    [' scancel --timeout']=nothing
    [' sinfo --nodelist']=nodes
    [' sinfo -w']=nodes
    [' sinfo --output']='=table wide json jsonl yaml name'
    [' sinfo -o']='=table wide json jsonl yaml name'
    [' sinfo --sort']=nothing
    [' sinfo --every']=nothing
    [' sinfo --color']='=auto always never'
    [' sinfo --timeout']=nothing
    [' metrics --listen']=nothing
    [' metrics -l']=nothing
    [' metrics --color']='=auto always never'
    [' metrics --timeout']=nothing
    [' doctor --output']='=table wide json jsonl yaml name'
    [' doctor -o']='=table wide json jsonl yaml name'
    [' doctor --sort']=nothing
    [' doctor --every']=nothing
    [' doctor --color']='=auto always never'
    [' doctor --timeout']=nothing
    [' explain --output']='=table wide json jsonl yaml name'
    [' explain -o']='=table wide json jsonl yaml name'
    [' explain --sort']=nothing
    [' explain --every']=nothing
    [' explain --color']='=auto always never'
    [' man --color']='=auto always never'
    [' schema --color']='=auto always never'
    [' lab up --name']=nothing
    [' lab up --subnet']=nothing
    [' lab up --color']='=auto always never'
    [' lab up --timeout']=nothing
    [' lab status --name']=nothing
    [' lab status --output']='=table wide json jsonl yaml name'
    [' lab status -o']='=table wide json jsonl yaml name'
    [' lab status --sort']=nothing
    [' lab status --every']=nothing
    [' lab status --color']='=auto always never'
    [' lab status --timeout']=nothing
    [' lab ssh --name']=nothing
    [' lab ssh --user']=nothing
    [' lab ssh -l']=nothing
    [' lab ssh --color']='=auto always never'
    [' lab ssh --timeout']=nothing
    [' lab down --name']=nothing
    [' lab down --color']='=auto always never'
    [' lab down --timeout']=nothing
    [' lab kill --name']=nothing
    [' lab kill --color']='=auto always never'
    [' lab kill --timeout']=nothing
    [' lab pause --name']=nothing
    [' lab pause --color']='=auto always never'
    [' lab pause --timeout']=nothing
    [' lab resume --name']=nothing
    [' lab resume --color']='=auto always never'
    [' lab resume --timeout']=nothing
    [' lab cut --name']=nothing
    [' lab cut --color']='=auto always never'
    [' lab cut --timeout']=nothing
    [' lab heal --name']=nothing
    [' lab heal --color']='=auto always never'
    [' lab heal --timeout']=nothing
    [' tour --size']=nothing
    [' tour --color']='=auto always never'
    [' tour --timeout']=nothing
    [' completion show --color']='=auto always never'
    [' completion install --color']='=auto always never'
)
declare -gA _ssi_args=(
    [' up']=hosts
    [' down']=hosts
    [' nodes']=nodes
    [' ps']='nothing|nothing'
    [' run']=command
    [' wait']=jobs
    [' logs']=jobs
    [' attach']='jobs|nothing'
    [' disown']=jobs
    [' stop']=gpids
    [' cont']=gpids
    [' kill']=gpids
    [' freeze']=gpids
    [' thaw']=gpids
    [' migrate']=movable
    [' checkpoint']=jobs
    [' checkpoints rm']=checkpoints
    [' restore']=checkpoints
    [' clone']=jobs
    [' adopt']=gpids
    [' why']=jobs
    [' cordon']=nodes
    [' uncordon']=nodes
    [' drain']='nodes|nothing'
    [' cp']=places
    [' ls']=places
    [' cat']=places
    [' tail']=places
    [' clients revoke']=nothing
    [' mount']='nodes|files|nothing'
    [' umount']='files|nothing'
    [' srun']=command
    [' sbatch']=files
    [' scancel']=jobs
    [' doctor']=nodes
    [' explain']=nothing
    [' man']=nothing
    [' lab up']='nothing|nothing'
    [' lab ssh']='nodes|nothing'
    [' lab kill']='nodes|nothing'
    [' lab pause']='nodes|nothing'
    [' lab resume']='nodes|nothing'
    [' lab cut']='nodes|nothing'
    [' lab heal']='nodes|nothing'
    [' completion show']='=bash zsh fish|nothing'
    [' completion install']='=bash zsh fish|nothing'
)

# The words up to the cursor, whatever characters bash divides them at.
_ssi_split() {
    local rest=${COMP_LINE:0:COMP_POINT} word
    _ssi_words=()
    for word in "${COMP_WORDS[@]}"; do
        if [[ $rest == [[:blank:]]* || ${#_ssi_words[@]} -eq 0 ]]; then
            rest=${rest#"${rest%%[![:blank:]]*}"}
            _ssi_words+=("")
        fi
        [[ ${#word} -le ${#rest} ]] || word=$rest
        rest=${rest:${#word}}
        _ssi_words[-1]+=$word
    done
}

# What the system knows, within a fifth of a second or not at all.
_ssi_ask() {
    local value about
    while IFS=$'\t' read -r value about; do
        _ssi_found+=("$value")
        _ssi_about+=("$about")
    done < <(timeout "${SSI_COMPLETION_SECONDS:-0.2}" "$_ssi_command" __complete "$1" -- "$2" \
        </dev/null 2>/dev/null)
}

_ssi_value() {
    local kind=$1 word=$2
    case $kind in
        =*) mapfile -t _ssi_found < <(compgen -W "${kind#=}" -- "$word") ;;
        files) _ssi_files "$word" ;;
        nothing | '') ;;
        places)
            [[ $word == *:* && $word != */*:* ]] || _ssi_files "$word"
            _ssi_ask places "$word"
            ;;
        *) _ssi_ask "$kind" "$word" ;;
    esac
}

_ssi_files() {
    local file
    while IFS= read -r file; do
        [[ ! -d $file ]] || file+=/
        _ssi_found+=("$file")
        _ssi_about+=("")
    done < <(compgen -f -- "$1")
}

# What was found becomes COMPREPLY. bash replaces only what is behind the last colon.
_ssi_reply() {
    local word=$1 index width=0 head= shown
    [[ $word == *:* && $COMP_WORDBREAKS == *:* && $_ssi_quote == "" ]] && head=${word%:*}:
    for index in "${!_ssi_found[@]}"; do
        (( ${#_ssi_found[index]} <= width )) || width=${#_ssi_found[index]}
    done
    for index in "${!_ssi_found[@]}"; do
        shown=${_ssi_found[index]#"$head"}
        if [[ ${#_ssi_found[@]} -gt 1 && ${_ssi_about[index]-} && $COMP_TYPE != 37 ]]; then
            printf -v shown '%-*s  (%s)' "$((width - ${#head}))" "$shown" "${_ssi_about[index]}"
        elif [[ $_ssi_quote == "" && $shown == *[[:blank:]\'\"\\\&\;\(\)\<\>\|\*\?\$\`]* ]]; then
            printf -v shown %q "$shown"
        fi
        COMPREPLY+=("$shown")
        [[ ${_ssi_found[index]} != *[:/] ]] || compopt -o nospace
    done
}

_ssi() {
    local _ssi_command=$1 _ssi_quote= verb= key before= kind= count=0 index word current
    local -a _ssi_words _ssi_found=() _ssi_about=() kinds
    COMPREPLY=()
    _ssi_split
    current=${_ssi_words[-1]}
    case $current in
        [\"\']*) _ssi_quote=${current:0:1} current=${current:1} ;;
        *) current=${current//\\/} ;;
    esac
    for ((index = 1; index < ${#_ssi_words[@]} - 1; index++)); do
        word=${_ssi_words[index]}
        if [[ $before ]]; then
            before=
        elif [[ $word == -- ]]; then
            count=-1
            break
        elif [[ $word == -* ]]; then
            [[ -z ${_ssi_takes[" $verb $word"]-} ]] || before=$word
        elif [[ " ${_ssi_verbs[" $verb"]-} " == *" $word "* && $count == 0 ]]; then
            verb=${verb:+$verb }$word
        else
            ((++count))
        fi
        if [[ $verb == run && $count == 1 ]]; then
            _ssi_delegate "$index"
            return
        fi
    done
    if [[ $count == -1 ]]; then
        count=$((${#_ssi_words[@]} - index - 2))
        if [[ $verb == run ]]; then
            ((count == 0)) || { _ssi_delegate "$((index + 1))"; return; }
        fi
    elif [[ $before ]]; then
        _ssi_value "${_ssi_takes[" $verb $before"]}" "$current"
        _ssi_reply "$current"
        return
    elif [[ $current == --*=* ]]; then
        _ssi_value "${_ssi_takes[" $verb ${current%%=*}"]-}" "${current#*=}"
        _ssi_reply "${current#*=}"
        return
    elif [[ $current == -* ]]; then
        mapfile -t _ssi_found < <(compgen -W "${_ssi_flags[" $verb"]-}" -- "$current")
        _ssi_reply "$current"
        return
    fi
    if [[ ${_ssi_verbs[" $verb"]-} && $count == 0 ]]; then
        mapfile -t _ssi_found < <(compgen -W "${_ssi_verbs[" $verb"]}" -- "$current")
        for index in "${!_ssi_found[@]}"; do
            _ssi_about[index]=${_ssi_help[" ${verb:+$verb }${_ssi_found[index]}"]-}
        done
        _ssi_reply "$current"
        return
    fi
    IFS='|' read -ra kinds <<<"${_ssi_args[" $verb"]-}"
    [[ ${#kinds[@]} -gt 0 ]] || return
    ((count < ${#kinds[@]})) || count=$((${#kinds[@]} - 1))
    if [[ ${kinds[count]} == command ]]; then
        mapfile -t _ssi_found < <(compgen -c -- "$current")
    else
        _ssi_value "${kinds[count]}" "$current"
    fi
    _ssi_reply "$current"
}

# The words of the command that `ssi run` is to run: as they would be completed for itself.
_ssi_delegate() {
    compopt -o filenames
    if declare -F _command_offset >/dev/null; then
        _command_offset "$1"
    else
        mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
    fi
}

complete -o nosort -F _ssi ssi
