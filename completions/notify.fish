# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_notify_global_optspecs
    string join \n c/config= p/profile= state-dir= platform-file= color= log-format= v/verbose q/quiet metrics-file= metrics-listen= version h/help
end

function __fish_notify_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_notify_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_notify_using_subcommand
    set -l cmd (__fish_notify_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c notify -n "__fish_notify_needs_command" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_needs_command" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_needs_command" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_needs_command" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_needs_command" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_needs_command" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_needs_command" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_needs_command" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_needs_command" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_needs_command" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_needs_command" -l version -d 'Print the version'
complete -c notify -n "__fish_notify_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_needs_command" -f -a "send" -d 'Send one message to one or several addresses'
complete -c notify -n "__fish_notify_needs_command" -f -a "batch" -d 'Send a template to every row of a list'
complete -c notify -n "__fish_notify_needs_command" -f -a "retry" -d 'Send the failures of an earlier run again, as a new run linked to it'
complete -c notify -n "__fish_notify_needs_command" -f -a "resume" -d 'Finish a run that was stopped or killed, or let one go on that is paused'
complete -c notify -n "__fish_notify_needs_command" -f -a "check" -d 'Check every row against the template; send nothing'
complete -c notify -n "__fish_notify_needs_command" -f -a "plan" -d 'Count rows, requests, time and cost of a batch; send nothing'
complete -c notify -n "__fish_notify_needs_command" -f -a "preview" -d 'Show what rows would become'
complete -c notify -n "__fish_notify_needs_command" -f -a "runs" -d 'List the runs of this machine, newest last'
complete -c notify -n "__fish_notify_needs_command" -f -a "status" -d 'Tell how a run stands'
complete -c notify -n "__fish_notify_needs_command" -f -a "wait" -d 'Wait until a run has ended, and end with its exit code'
complete -c notify -n "__fish_notify_needs_command" -f -a "pause" -d 'Let a running run take no more rows until it is told to go on'
complete -c notify -n "__fish_notify_needs_command" -f -a "abort" -d 'Stop a run for good; what was not sent stays pending'
complete -c notify -n "__fish_notify_needs_command" -f -a "set" -d 'Change settings of a run while it runs'
complete -c notify -n "__fish_notify_needs_command" -f -a "events" -d 'Tell what happened to a run, and who wanted it'
complete -c notify -n "__fish_notify_needs_command" -f -a "report" -d 'Tell what a run did'
complete -c notify -n "__fish_notify_needs_command" -f -a "find" -d 'Find rows over all runs'
complete -c notify -n "__fish_notify_needs_command" -f -a "suppress" -d 'Whom nothing is sent to'
complete -c notify -n "__fish_notify_needs_command" -f -a "prune" -d 'Remove runs that ended long ago'
complete -c notify -n "__fish_notify_needs_command" -f -a "platforms" -d 'What can be sent with, and whether an account\'s credentials work'
complete -c notify -n "__fish_notify_needs_command" -f -a "templates" -d 'What can be sent'
complete -c notify -n "__fish_notify_needs_command" -f -a "config" -d 'Which settings are in force, and whether they are right'
complete -c notify -n "__fish_notify_needs_command" -f -a "sink" -d 'A loopback mail and web server that records, and misbehaves on request'
complete -c notify -n "__fish_notify_needs_command" -f -a "completions" -d 'Print a completion script'
complete -c notify -n "__fish_notify_needs_command" -f -a "man" -d 'Write the man pages into a folder'
complete -c notify -n "__fish_notify_using_subcommand send" -l to -d 'Where to; repeatable; not needed where the account or the URL says it' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l subject -d 'Subject or title' -r
complete -c notify -n "__fish_notify_using_subcommand send" -s t -l template -d 'Template: a name in templates/, or a path' -r
complete -c notify -n "__fish_notify_using_subcommand send" -s V -l var -d 'A variable for every row that has no such column; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l vars -d 'Variables for every row, from a YAML or JSON file' -r -F
complete -c notify -n "__fish_notify_using_subcommand send" -s a -l attach -d 'Attach this file to every message; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand send" -l attach-column -d 'Column that names files to attach to its row, separated by ;' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l via -d 'Account of the config to send through, a pool, accounts one after the other as \'a>b>c\', or a URL such as slack://TOKEN@CHANNEL [default: defaults.via, or outbox without a config]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l from -d 'From: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l reply-to -d 'Reply-To: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand send" -s j -l concurrency -d 'Requests in flight at once, per account: a number, or auto, which finds what pays within what account and platform allow [default: auto]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -s b -l batch-size -d 'Deliveries of one request and rows of one journal group, at most [default: as many as the platform takes; 100]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l priority -d 'What the rows are worth that say nothing in `_priority` [default: normal]' -r -f -a "low\t'What can wait'
normal\t'What nobody said anything about'
high\t'What is wanted soon'
critical\t'What somebody is waiting for'"
complete -c notify -n "__fish_notify_using_subcommand send" -l rate -d 'A further limit for this run, such as 10/s or 100/min' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l deadline -d 'End the run after this time, finished or not; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l timeout -d 'Longest wait for each step before a message is on its way [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l final-timeout -d 'Longest wait for the answer once a message is on its way [default: 10m for smtp, 60s for http]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l grace -d 'How long a stop waits for what is in flight [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l max-wait -d 'A wait longer than this, asked for by a service or made by a hold, leaves its rows pending; where only such rows are left the run ends with exit 5 and says when to resume [default: 15m]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l on-error -d 'What a row\'s final failure does to the run [default: continue]' -r -f -a "continue\t'Record the failure and go on'
abort\t'Stop at the first failure for good'
retry\t'Go on, then one more pass over the retryable failures'"
complete -c notify -n "__fish_notify_using_subcommand send" -l in-doubt -d 'What to do with rows of which nobody knows whether they were sent [default: ask]' -r -f -a "ask\t'Ask on a terminal; elsewhere leave them as they are (exit 6)'
skip\t'Never send them; they count as settled and are listed in in_doubt.jsonl'
resend\t'Send them again, under the same Message-ID or idempotency key'"
complete -c notify -n "__fish_notify_using_subcommand send" -l retries -d 'Further tries of a row after the first [default: 3]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l delay -d 'Longest delay before the first retry [default: 1s]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l backoff -d 'By how much each delay is longer than the one before [default: 2.0]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l max-delay -d 'Longest delay between tries [default: 5m]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l halt-on-failures -d 'Stop the run when more than this share of its rows has failed, or so many; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l halt-min -d 'Rows that must be settled before a share of failures counts [default: 50]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l at -d 'Begin at this moment: 2026-11-23T09:00:00+01:00, "2026-11-23 09:00", 09:00 (the next one) or +2h' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l window -d 'Send only inside these windows of the week, such as "Mon-Fri 08:00-18:00; Sat 09:00-12:00"' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l tz -d 'Time zone of --at, --window and _send_at, such as Europe/Berlin [default: this machine\'s]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l tz-column -d 'Column with the time zone of its row, for --window and _send_at [default: _tz]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l expires -d 'Rows not sent within this time after the start, or after their own _send_at, are skipped' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l on-result -d 'Run this beside the run and tell it each final result, one JSON line each on its stdin' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l on-finish -d 'Run this when the run has ended, with its summary as JSON on stdin' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l notify-on -d 'Tell somebody through another account when the run has finished or stopped early: finish=ops,halt=oncall' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l name -d 'Send a list once under this name: again, it is resumed, or only what was not sent goes out' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l lock -d 'What to do while another process has that name [default: fail]' -r -f -a "wait\t'Wait until it is free'
fail\t'End with 11 and say who has it'
skip\t'End with 0 and leave it to them'"
complete -c notify -n "__fish_notify_using_subcommand send" -l redirect-to -d 'Send every message to this address instead of its recipient\'s' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l allow-domain -d 'Refuse rows that go to any other domain or host; repeatable; *.example.com is all below it' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l canary -d 'Send the first N rows alone, and the others only if those fared well' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l hold -d 'How long to wait after the rows of --canary before the others go [default: 1m]' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l out -d 'Folder for the report and the retry file [default: ./notify-RUN]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand send" -l report -d 'Write report.json here instead' -r -F
complete -c notify -n "__fish_notify_using_subcommand send" -l failed -d 'Write failed.jsonl here instead' -r -F
complete -c notify -n "__fish_notify_using_subcommand send" -l max-cost -d 'Refuse to begin where it would cost more than this, by `cost:` of the accounts: 1000, or \'1000 CNY, 50 USD\'' -r
complete -c notify -n "__fish_notify_using_subcommand send" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand send" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand send" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand send" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand send" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand send" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand send" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand send" -l lenient -d 'An undefined variable renders as nothing instead of being an error'
complete -c notify -n "__fish_notify_using_subcommand send" -l strict-priority -d 'Let critical rows go first alone, instead of eight of them for each low one'
complete -c notify -n "__fish_notify_using_subcommand send" -l wait-quota -d 'Wait until a limit that is used up lets more go, however long; without it such rows stay pending (exit 5)'
complete -c notify -n "__fish_notify_using_subcommand send" -l suppress-gone -d 'Put addresses that a service calls gone onto the suppression list'
complete -c notify -n "__fish_notify_using_subcommand send" -s y -l yes -d 'Answer the question before sending with yes'
complete -c notify -n "__fish_notify_using_subcommand send" -l json -d 'One JSON event a line on stdout'
complete -c notify -n "__fish_notify_using_subcommand send" -l no-progress -d 'No progress bar'
complete -c notify -n "__fish_notify_using_subcommand send" -l detach -d 'Check and confirm here, then send in the background: prints the run and returns'
complete -c notify -n "__fish_notify_using_subcommand send" -l again -d 'Send although the same list went out through the same template lately (or under the same --name)'
complete -c notify -n "__fish_notify_using_subcommand send" -l dry-run -d 'Render and check every row, send nothing, open no socket'
complete -c notify -n "__fish_notify_using_subcommand send" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand send" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand batch" -l format -d 'Form of the list [default: told from its content]' -r -f -a "csv\t'Comma, semicolon, tab or bar separated'
tsv\t'Tab separated'
jsonl\t'One JSON object a line'
json\t'One JSON array of objects'"
complete -c notify -n "__fish_notify_using_subcommand batch" -l encoding -d 'Encoding of the list, such as gb18030 or windows-1252 [default: UTF-8, or by byte order mark; others must be named]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l delimiter -d 'Field delimiter, one character or \\t [default: told from the header]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l map -d 'Read column E-Mail as email; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l skip -d 'Leave out the first N rows' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l limit -d 'Read at most N rows' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l dedupe -d 'What makes two rows the same, of which only the first is sent [default: address]' -r -f -a "address\t'The same address through the same account'
key\t'The same key'
off\t'Nothing is a duplicate'"
complete -c notify -n "__fish_notify_using_subcommand batch" -s t -l template -d 'Template: a name in templates/, or a path' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -s V -l var -d 'A variable for every row that has no such column; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l vars -d 'Variables for every row, from a YAML or JSON file' -r -F
complete -c notify -n "__fish_notify_using_subcommand batch" -s a -l attach -d 'Attach this file to every message; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand batch" -l attach-column -d 'Column that names files to attach to its row, separated by ;' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l via -d 'Account of the config to send through, a pool, accounts one after the other as \'a>b>c\', or a URL such as slack://TOKEN@CHANNEL [default: defaults.via, or outbox without a config]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l from -d 'From: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l reply-to -d 'Reply-To: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l key -d 'Column that identifies a row [default: account, address and occurrence]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -s j -l concurrency -d 'Requests in flight at once, per account: a number, or auto, which finds what pays within what account and platform allow [default: auto]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -s b -l batch-size -d 'Deliveries of one request and rows of one journal group, at most [default: as many as the platform takes; 100]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l priority -d 'What the rows are worth that say nothing in `_priority` [default: normal]' -r -f -a "low\t'What can wait'
normal\t'What nobody said anything about'
high\t'What is wanted soon'
critical\t'What somebody is waiting for'"
complete -c notify -n "__fish_notify_using_subcommand batch" -l rate -d 'A further limit for this run, such as 10/s or 100/min' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l deadline -d 'End the run after this time, finished or not; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l timeout -d 'Longest wait for each step before a message is on its way [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l final-timeout -d 'Longest wait for the answer once a message is on its way [default: 10m for smtp, 60s for http]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l grace -d 'How long a stop waits for what is in flight [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l max-wait -d 'A wait longer than this, asked for by a service or made by a hold, leaves its rows pending; where only such rows are left the run ends with exit 5 and says when to resume [default: 15m]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l on-error -d 'What a row\'s final failure does to the run [default: continue]' -r -f -a "continue\t'Record the failure and go on'
abort\t'Stop at the first failure for good'
retry\t'Go on, then one more pass over the retryable failures'"
complete -c notify -n "__fish_notify_using_subcommand batch" -l in-doubt -d 'What to do with rows of which nobody knows whether they were sent [default: ask]' -r -f -a "ask\t'Ask on a terminal; elsewhere leave them as they are (exit 6)'
skip\t'Never send them; they count as settled and are listed in in_doubt.jsonl'
resend\t'Send them again, under the same Message-ID or idempotency key'"
complete -c notify -n "__fish_notify_using_subcommand batch" -l retries -d 'Further tries of a row after the first [default: 3]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l delay -d 'Longest delay before the first retry [default: 1s]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l backoff -d 'By how much each delay is longer than the one before [default: 2.0]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l max-delay -d 'Longest delay between tries [default: 5m]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l halt-on-failures -d 'Stop the run when more than this share of its rows has failed, or so many; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l halt-min -d 'Rows that must be settled before a share of failures counts [default: 50]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l at -d 'Begin at this moment: 2026-11-23T09:00:00+01:00, "2026-11-23 09:00", 09:00 (the next one) or +2h' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l window -d 'Send only inside these windows of the week, such as "Mon-Fri 08:00-18:00; Sat 09:00-12:00"' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l tz -d 'Time zone of --at, --window and _send_at, such as Europe/Berlin [default: this machine\'s]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l tz-column -d 'Column with the time zone of its row, for --window and _send_at [default: _tz]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l expires -d 'Rows not sent within this time after the start, or after their own _send_at, are skipped' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l on-result -d 'Run this beside the run and tell it each final result, one JSON line each on its stdin' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l on-finish -d 'Run this when the run has ended, with its summary as JSON on stdin' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l notify-on -d 'Tell somebody through another account when the run has finished or stopped early: finish=ops,halt=oncall' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l name -d 'Send a list once under this name: again, it is resumed, or only what was not sent goes out' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l lock -d 'What to do while another process has that name [default: fail]' -r -f -a "wait\t'Wait until it is free'
fail\t'End with 11 and say who has it'
skip\t'End with 0 and leave it to them'"
complete -c notify -n "__fish_notify_using_subcommand batch" -l redirect-to -d 'Send every message to this address instead of its recipient\'s' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l allow-domain -d 'Refuse rows that go to any other domain or host; repeatable; *.example.com is all below it' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l canary -d 'Send the first N rows alone, and the others only if those fared well' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l hold -d 'How long to wait after the rows of --canary before the others go [default: 1m]' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l out -d 'Folder for the report and the retry file [default: ./notify-RUN]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand batch" -l report -d 'Write report.json here instead' -r -F
complete -c notify -n "__fish_notify_using_subcommand batch" -l failed -d 'Write failed.jsonl here instead' -r -F
complete -c notify -n "__fish_notify_using_subcommand batch" -l max-cost -d 'Refuse to begin where it would cost more than this, by `cost:` of the accounts: 1000, or \'1000 CNY, 50 USD\'' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand batch" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand batch" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand batch" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand batch" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand batch" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand batch" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand batch" -l stream -d 'Check row by row while sending, for pipes that do not end'
complete -c notify -n "__fish_notify_using_subcommand batch" -l lenient -d 'An undefined variable renders as nothing instead of being an error'
complete -c notify -n "__fish_notify_using_subcommand batch" -l strict-priority -d 'Let critical rows go first alone, instead of eight of them for each low one'
complete -c notify -n "__fish_notify_using_subcommand batch" -l wait-quota -d 'Wait until a limit that is used up lets more go, however long; without it such rows stay pending (exit 5)'
complete -c notify -n "__fish_notify_using_subcommand batch" -l suppress-gone -d 'Put addresses that a service calls gone onto the suppression list'
complete -c notify -n "__fish_notify_using_subcommand batch" -s y -l yes -d 'Answer the question before sending with yes'
complete -c notify -n "__fish_notify_using_subcommand batch" -l json -d 'One JSON event a line on stdout'
complete -c notify -n "__fish_notify_using_subcommand batch" -l no-progress -d 'No progress bar'
complete -c notify -n "__fish_notify_using_subcommand batch" -l detach -d 'Check and confirm here, then send in the background: prints the run and returns'
complete -c notify -n "__fish_notify_using_subcommand batch" -l again -d 'Send although the same list went out through the same template lately (or under the same --name)'
complete -c notify -n "__fish_notify_using_subcommand batch" -l dry-run -d 'Render and check every row, send nothing, open no socket'
complete -c notify -n "__fish_notify_using_subcommand batch" -l skip-invalid -d 'Send the good rows although there are bad ones; the bad ones go to the retry file'
complete -c notify -n "__fish_notify_using_subcommand batch" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand batch" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand batch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand retry" -l only -d 'Only these failures: retryable, or kinds such as unavailable; repeatable or separated by commas' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -s t -l template -d 'Template: a name in templates/, or a path' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -s V -l var -d 'A variable for every row that has no such column; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l vars -d 'Variables for every row, from a YAML or JSON file' -r -F
complete -c notify -n "__fish_notify_using_subcommand retry" -s a -l attach -d 'Attach this file to every message; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand retry" -l attach-column -d 'Column that names files to attach to its row, separated by ;' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l via -d 'Account of the config to send through, a pool, accounts one after the other as \'a>b>c\', or a URL such as slack://TOKEN@CHANNEL [default: defaults.via, or outbox without a config]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l from -d 'From: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l reply-to -d 'Reply-To: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -s j -l concurrency -d 'Requests in flight at once, per account: a number, or auto, which finds what pays within what account and platform allow [default: auto]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -s b -l batch-size -d 'Deliveries of one request and rows of one journal group, at most [default: as many as the platform takes; 100]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l priority -d 'What the rows are worth that say nothing in `_priority` [default: normal]' -r -f -a "low\t'What can wait'
normal\t'What nobody said anything about'
high\t'What is wanted soon'
critical\t'What somebody is waiting for'"
complete -c notify -n "__fish_notify_using_subcommand retry" -l rate -d 'A further limit for this run, such as 10/s or 100/min' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l deadline -d 'End the run after this time, finished or not; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l timeout -d 'Longest wait for each step before a message is on its way [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l final-timeout -d 'Longest wait for the answer once a message is on its way [default: 10m for smtp, 60s for http]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l grace -d 'How long a stop waits for what is in flight [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l max-wait -d 'A wait longer than this, asked for by a service or made by a hold, leaves its rows pending; where only such rows are left the run ends with exit 5 and says when to resume [default: 15m]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l on-error -d 'What a row\'s final failure does to the run [default: continue]' -r -f -a "continue\t'Record the failure and go on'
abort\t'Stop at the first failure for good'
retry\t'Go on, then one more pass over the retryable failures'"
complete -c notify -n "__fish_notify_using_subcommand retry" -l in-doubt -d 'What to do with rows of which nobody knows whether they were sent [default: ask]' -r -f -a "ask\t'Ask on a terminal; elsewhere leave them as they are (exit 6)'
skip\t'Never send them; they count as settled and are listed in in_doubt.jsonl'
resend\t'Send them again, under the same Message-ID or idempotency key'"
complete -c notify -n "__fish_notify_using_subcommand retry" -l retries -d 'Further tries of a row after the first [default: 3]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l delay -d 'Longest delay before the first retry [default: 1s]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l backoff -d 'By how much each delay is longer than the one before [default: 2.0]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l max-delay -d 'Longest delay between tries [default: 5m]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l halt-on-failures -d 'Stop the run when more than this share of its rows has failed, or so many; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l halt-min -d 'Rows that must be settled before a share of failures counts [default: 50]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l at -d 'Begin at this moment: 2026-11-23T09:00:00+01:00, "2026-11-23 09:00", 09:00 (the next one) or +2h' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l window -d 'Send only inside these windows of the week, such as "Mon-Fri 08:00-18:00; Sat 09:00-12:00"' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l tz -d 'Time zone of --at, --window and _send_at, such as Europe/Berlin [default: this machine\'s]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l tz-column -d 'Column with the time zone of its row, for --window and _send_at [default: _tz]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l expires -d 'Rows not sent within this time after the start, or after their own _send_at, are skipped' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l on-result -d 'Run this beside the run and tell it each final result, one JSON line each on its stdin' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l on-finish -d 'Run this when the run has ended, with its summary as JSON on stdin' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l notify-on -d 'Tell somebody through another account when the run has finished or stopped early: finish=ops,halt=oncall' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l name -d 'Send a list once under this name: again, it is resumed, or only what was not sent goes out' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l lock -d 'What to do while another process has that name [default: fail]' -r -f -a "wait\t'Wait until it is free'
fail\t'End with 11 and say who has it'
skip\t'End with 0 and leave it to them'"
complete -c notify -n "__fish_notify_using_subcommand retry" -l redirect-to -d 'Send every message to this address instead of its recipient\'s' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l allow-domain -d 'Refuse rows that go to any other domain or host; repeatable; *.example.com is all below it' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l canary -d 'Send the first N rows alone, and the others only if those fared well' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l hold -d 'How long to wait after the rows of --canary before the others go [default: 1m]' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l out -d 'Folder for the report and the retry file [default: ./notify-RUN]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand retry" -l report -d 'Write report.json here instead' -r -F
complete -c notify -n "__fish_notify_using_subcommand retry" -l failed -d 'Write failed.jsonl here instead' -r -F
complete -c notify -n "__fish_notify_using_subcommand retry" -l max-cost -d 'Refuse to begin where it would cost more than this, by `cost:` of the accounts: 1000, or \'1000 CNY, 50 USD\'' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand retry" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand retry" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand retry" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand retry" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand retry" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand retry" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand retry" -l lenient -d 'An undefined variable renders as nothing instead of being an error'
complete -c notify -n "__fish_notify_using_subcommand retry" -l strict-priority -d 'Let critical rows go first alone, instead of eight of them for each low one'
complete -c notify -n "__fish_notify_using_subcommand retry" -l wait-quota -d 'Wait until a limit that is used up lets more go, however long; without it such rows stay pending (exit 5)'
complete -c notify -n "__fish_notify_using_subcommand retry" -l suppress-gone -d 'Put addresses that a service calls gone onto the suppression list'
complete -c notify -n "__fish_notify_using_subcommand retry" -s y -l yes -d 'Answer the question before sending with yes'
complete -c notify -n "__fish_notify_using_subcommand retry" -l json -d 'One JSON event a line on stdout'
complete -c notify -n "__fish_notify_using_subcommand retry" -l no-progress -d 'No progress bar'
complete -c notify -n "__fish_notify_using_subcommand retry" -l detach -d 'Check and confirm here, then send in the background: prints the run and returns'
complete -c notify -n "__fish_notify_using_subcommand retry" -l again -d 'Send although the same list went out through the same template lately (or under the same --name)'
complete -c notify -n "__fish_notify_using_subcommand retry" -l dry-run -d 'Render and check every row, send nothing, open no socket'
complete -c notify -n "__fish_notify_using_subcommand retry" -l skip-invalid -d 'Send the good rows although there are bad ones; the bad ones go to the new retry file'
complete -c notify -n "__fish_notify_using_subcommand retry" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand retry" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand retry" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand resume" -l reason -d 'Why, for those who read the events of the run' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l via -d 'The URL once more, or @FILE, where the run was sent through one: a run does not keep it' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -s j -l concurrency -d 'Requests in flight at once, per account: a number, or auto, which finds what pays within what account and platform allow [default: auto]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -s b -l batch-size -d 'Deliveries of one request and rows of one journal group, at most [default: as many as the platform takes; 100]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l priority -d 'What the rows are worth that say nothing in `_priority` [default: normal]' -r -f -a "low\t'What can wait'
normal\t'What nobody said anything about'
high\t'What is wanted soon'
critical\t'What somebody is waiting for'"
complete -c notify -n "__fish_notify_using_subcommand resume" -l rate -d 'A further limit for this run, such as 10/s or 100/min' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l deadline -d 'End the run after this time, finished or not; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l timeout -d 'Longest wait for each step before a message is on its way [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l final-timeout -d 'Longest wait for the answer once a message is on its way [default: 10m for smtp, 60s for http]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l grace -d 'How long a stop waits for what is in flight [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l max-wait -d 'A wait longer than this, asked for by a service or made by a hold, leaves its rows pending; where only such rows are left the run ends with exit 5 and says when to resume [default: 15m]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l on-error -d 'What a row\'s final failure does to the run [default: continue]' -r -f -a "continue\t'Record the failure and go on'
abort\t'Stop at the first failure for good'
retry\t'Go on, then one more pass over the retryable failures'"
complete -c notify -n "__fish_notify_using_subcommand resume" -l in-doubt -d 'What to do with rows of which nobody knows whether they were sent [default: ask]' -r -f -a "ask\t'Ask on a terminal; elsewhere leave them as they are (exit 6)'
skip\t'Never send them; they count as settled and are listed in in_doubt.jsonl'
resend\t'Send them again, under the same Message-ID or idempotency key'"
complete -c notify -n "__fish_notify_using_subcommand resume" -l retries -d 'Further tries of a row after the first [default: 3]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l delay -d 'Longest delay before the first retry [default: 1s]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l backoff -d 'By how much each delay is longer than the one before [default: 2.0]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l max-delay -d 'Longest delay between tries [default: 5m]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l halt-on-failures -d 'Stop the run when more than this share of its rows has failed, or so many; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l halt-min -d 'Rows that must be settled before a share of failures counts [default: 50]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l at -d 'Begin at this moment: 2026-11-23T09:00:00+01:00, "2026-11-23 09:00", 09:00 (the next one) or +2h' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l window -d 'Send only inside these windows of the week, such as "Mon-Fri 08:00-18:00; Sat 09:00-12:00"' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l tz -d 'Time zone of --at, --window and _send_at, such as Europe/Berlin [default: this machine\'s]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l tz-column -d 'Column with the time zone of its row, for --window and _send_at [default: _tz]' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l expires -d 'Rows not sent within this time after the start, or after their own _send_at, are skipped' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l on-result -d 'Run this beside the run and tell it each final result, one JSON line each on its stdin' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l on-finish -d 'Run this when the run has ended, with its summary as JSON on stdin' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l notify-on -d 'Tell somebody through another account when the run has finished or stopped early: finish=ops,halt=oncall' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand resume" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand resume" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand resume" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand resume" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand resume" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand resume" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand resume" -l taken-over -d 'A process that was started by --detach takes the run over'
complete -c notify -n "__fish_notify_using_subcommand resume" -l strict-priority -d 'Let critical rows go first alone, instead of eight of them for each low one'
complete -c notify -n "__fish_notify_using_subcommand resume" -l wait-quota -d 'Wait until a limit that is used up lets more go, however long; without it such rows stay pending (exit 5)'
complete -c notify -n "__fish_notify_using_subcommand resume" -l suppress-gone -d 'Put addresses that a service calls gone onto the suppression list'
complete -c notify -n "__fish_notify_using_subcommand resume" -s y -l yes -d 'Answer the question before sending with yes'
complete -c notify -n "__fish_notify_using_subcommand resume" -l json -d 'One JSON event a line on stdout'
complete -c notify -n "__fish_notify_using_subcommand resume" -l no-progress -d 'No progress bar'
complete -c notify -n "__fish_notify_using_subcommand resume" -l detach -d 'Check and confirm here, then send in the background: prints the run and returns'
complete -c notify -n "__fish_notify_using_subcommand resume" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand resume" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand check" -l format -d 'Form of the list [default: told from its content]' -r -f -a "csv\t'Comma, semicolon, tab or bar separated'
tsv\t'Tab separated'
jsonl\t'One JSON object a line'
json\t'One JSON array of objects'"
complete -c notify -n "__fish_notify_using_subcommand check" -l encoding -d 'Encoding of the list, such as gb18030 or windows-1252 [default: UTF-8, or by byte order mark; others must be named]' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l delimiter -d 'Field delimiter, one character or \\t [default: told from the header]' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l map -d 'Read column E-Mail as email; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l skip -d 'Leave out the first N rows' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l limit -d 'Read at most N rows' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l dedupe -d 'What makes two rows the same, of which only the first is sent [default: address]' -r -f -a "address\t'The same address through the same account'
key\t'The same key'
off\t'Nothing is a duplicate'"
complete -c notify -n "__fish_notify_using_subcommand check" -s t -l template -d 'Template: a name in templates/, or a path' -r
complete -c notify -n "__fish_notify_using_subcommand check" -s V -l var -d 'A variable for every row that has no such column; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l vars -d 'Variables for every row, from a YAML or JSON file' -r -F
complete -c notify -n "__fish_notify_using_subcommand check" -s a -l attach -d 'Attach this file to every message; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand check" -l attach-column -d 'Column that names files to attach to its row, separated by ;' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l via -d 'Account of the config to send through, a pool, accounts one after the other as \'a>b>c\', or a URL such as slack://TOKEN@CHANNEL [default: defaults.via, or outbox without a config]' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l from -d 'From: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l reply-to -d 'Reply-To: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l key -d 'Column that identifies a row [default: account, address and occurrence]' -r
complete -c notify -n "__fish_notify_using_subcommand check" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand check" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand check" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand check" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand check" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand check" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand check" -l stream -d 'Check row by row while sending, for pipes that do not end'
complete -c notify -n "__fish_notify_using_subcommand check" -l lenient -d 'An undefined variable renders as nothing instead of being an error'
complete -c notify -n "__fish_notify_using_subcommand check" -l json -d 'One JSON object per bad row on stdout'
complete -c notify -n "__fish_notify_using_subcommand check" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand check" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand plan" -l format -d 'Form of the list [default: told from its content]' -r -f -a "csv\t'Comma, semicolon, tab or bar separated'
tsv\t'Tab separated'
jsonl\t'One JSON object a line'
json\t'One JSON array of objects'"
complete -c notify -n "__fish_notify_using_subcommand plan" -l encoding -d 'Encoding of the list, such as gb18030 or windows-1252 [default: UTF-8, or by byte order mark; others must be named]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l delimiter -d 'Field delimiter, one character or \\t [default: told from the header]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l map -d 'Read column E-Mail as email; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l skip -d 'Leave out the first N rows' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l limit -d 'Read at most N rows' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l dedupe -d 'What makes two rows the same, of which only the first is sent [default: address]' -r -f -a "address\t'The same address through the same account'
key\t'The same key'
off\t'Nothing is a duplicate'"
complete -c notify -n "__fish_notify_using_subcommand plan" -s t -l template -d 'Template: a name in templates/, or a path' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -s V -l var -d 'A variable for every row that has no such column; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l vars -d 'Variables for every row, from a YAML or JSON file' -r -F
complete -c notify -n "__fish_notify_using_subcommand plan" -s a -l attach -d 'Attach this file to every message; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand plan" -l attach-column -d 'Column that names files to attach to its row, separated by ;' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l via -d 'Account of the config to send through, a pool, accounts one after the other as \'a>b>c\', or a URL such as slack://TOKEN@CHANNEL [default: defaults.via, or outbox without a config]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l from -d 'From: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l reply-to -d 'Reply-To: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l key -d 'Column that identifies a row [default: account, address and occurrence]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -s j -l concurrency -d 'Requests in flight at once, per account: a number, or auto, which finds what pays within what account and platform allow [default: auto]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -s b -l batch-size -d 'Deliveries of one request and rows of one journal group, at most [default: as many as the platform takes; 100]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l priority -d 'What the rows are worth that say nothing in `_priority` [default: normal]' -r -f -a "low\t'What can wait'
normal\t'What nobody said anything about'
high\t'What is wanted soon'
critical\t'What somebody is waiting for'"
complete -c notify -n "__fish_notify_using_subcommand plan" -l rate -d 'A further limit for this run, such as 10/s or 100/min' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l deadline -d 'End the run after this time, finished or not; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l timeout -d 'Longest wait for each step before a message is on its way [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l final-timeout -d 'Longest wait for the answer once a message is on its way [default: 10m for smtp, 60s for http]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l grace -d 'How long a stop waits for what is in flight [default: 30s]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l max-wait -d 'A wait longer than this, asked for by a service or made by a hold, leaves its rows pending; where only such rows are left the run ends with exit 5 and says when to resume [default: 15m]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l on-error -d 'What a row\'s final failure does to the run [default: continue]' -r -f -a "continue\t'Record the failure and go on'
abort\t'Stop at the first failure for good'
retry\t'Go on, then one more pass over the retryable failures'"
complete -c notify -n "__fish_notify_using_subcommand plan" -l in-doubt -d 'What to do with rows of which nobody knows whether they were sent [default: ask]' -r -f -a "ask\t'Ask on a terminal; elsewhere leave them as they are (exit 6)'
skip\t'Never send them; they count as settled and are listed in in_doubt.jsonl'
resend\t'Send them again, under the same Message-ID or idempotency key'"
complete -c notify -n "__fish_notify_using_subcommand plan" -l retries -d 'Further tries of a row after the first [default: 3]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l delay -d 'Longest delay before the first retry [default: 1s]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l backoff -d 'By how much each delay is longer than the one before [default: 2.0]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l max-delay -d 'Longest delay between tries [default: 5m]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l halt-on-failures -d 'Stop the run when more than this share of its rows has failed, or so many; it can be resumed' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l halt-min -d 'Rows that must be settled before a share of failures counts [default: 50]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l at -d 'Begin at this moment: 2026-11-23T09:00:00+01:00, "2026-11-23 09:00", 09:00 (the next one) or +2h' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l window -d 'Send only inside these windows of the week, such as "Mon-Fri 08:00-18:00; Sat 09:00-12:00"' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l tz -d 'Time zone of --at, --window and _send_at, such as Europe/Berlin [default: this machine\'s]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l tz-column -d 'Column with the time zone of its row, for --window and _send_at [default: _tz]' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l expires -d 'Rows not sent within this time after the start, or after their own _send_at, are skipped' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l on-result -d 'Run this beside the run and tell it each final result, one JSON line each on its stdin' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l on-finish -d 'Run this when the run has ended, with its summary as JSON on stdin' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l notify-on -d 'Tell somebody through another account when the run has finished or stopped early: finish=ops,halt=oncall' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l max-cost -d 'Refuse to begin where it would cost more than this, by `cost:` of the accounts: 1000, or \'1000 CNY, 50 USD\'' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand plan" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand plan" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand plan" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand plan" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand plan" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand plan" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand plan" -l stream -d 'Check row by row while sending, for pipes that do not end'
complete -c notify -n "__fish_notify_using_subcommand plan" -l lenient -d 'An undefined variable renders as nothing instead of being an error'
complete -c notify -n "__fish_notify_using_subcommand plan" -l strict-priority -d 'Let critical rows go first alone, instead of eight of them for each low one'
complete -c notify -n "__fish_notify_using_subcommand plan" -l wait-quota -d 'Wait until a limit that is used up lets more go, however long; without it such rows stay pending (exit 5)'
complete -c notify -n "__fish_notify_using_subcommand plan" -l suppress-gone -d 'Put addresses that a service calls gone onto the suppression list'
complete -c notify -n "__fish_notify_using_subcommand plan" -s y -l yes -d 'Answer the question before sending with yes'
complete -c notify -n "__fish_notify_using_subcommand plan" -l json -d 'One JSON event a line on stdout'
complete -c notify -n "__fish_notify_using_subcommand plan" -l no-progress -d 'No progress bar'
complete -c notify -n "__fish_notify_using_subcommand plan" -l detach -d 'Check and confirm here, then send in the background: prints the run and returns'
complete -c notify -n "__fish_notify_using_subcommand plan" -l skip-invalid -d 'Plan for the good rows although there are bad ones'
complete -c notify -n "__fish_notify_using_subcommand plan" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand plan" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand preview" -l format -d 'Form of the list [default: told from its content]' -r -f -a "csv\t'Comma, semicolon, tab or bar separated'
tsv\t'Tab separated'
jsonl\t'One JSON object a line'
json\t'One JSON array of objects'"
complete -c notify -n "__fish_notify_using_subcommand preview" -l encoding -d 'Encoding of the list, such as gb18030 or windows-1252 [default: UTF-8, or by byte order mark; others must be named]' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l delimiter -d 'Field delimiter, one character or \\t [default: told from the header]' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l map -d 'Read column E-Mail as email; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l skip -d 'Leave out the first N rows' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l limit -d 'Read at most N rows' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l dedupe -d 'What makes two rows the same, of which only the first is sent [default: address]' -r -f -a "address\t'The same address through the same account'
key\t'The same key'
off\t'Nothing is a duplicate'"
complete -c notify -n "__fish_notify_using_subcommand preview" -s t -l template -d 'Template: a name in templates/, or a path' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -s V -l var -d 'A variable for every row that has no such column; repeatable' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l vars -d 'Variables for every row, from a YAML or JSON file' -r -F
complete -c notify -n "__fish_notify_using_subcommand preview" -s a -l attach -d 'Attach this file to every message; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand preview" -l attach-column -d 'Column that names files to attach to its row, separated by ;' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l via -d 'Account of the config to send through, a pool, accounts one after the other as \'a>b>c\', or a URL such as slack://TOKEN@CHANNEL [default: defaults.via, or outbox without a config]' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l from -d 'From: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l reply-to -d 'Reply-To: of the messages, over template and account' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l row -d 'This row, counted from 1' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l key -d 'The row with this key or address' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l count -d 'So many rows from the first on' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l out -d 'Write .eml and .json files into this folder instead of showing them' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand preview" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand preview" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand preview" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand preview" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand preview" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand preview" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand preview" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand preview" -l stream -d 'Check row by row while sending, for pipes that do not end'
complete -c notify -n "__fish_notify_using_subcommand preview" -l lenient -d 'An undefined variable renders as nothing instead of being an error'
complete -c notify -n "__fish_notify_using_subcommand preview" -l show-request -d 'Show the requests that would be sent, secrets masked; nothing is sent'
complete -c notify -n "__fish_notify_using_subcommand preview" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand preview" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand preview" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand runs" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand runs" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand runs" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand runs" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand runs" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand runs" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand runs" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand runs" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand runs" -l json -d 'One JSON object a line'
complete -c notify -n "__fish_notify_using_subcommand runs" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand runs" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand runs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand status" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand status" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand status" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand status" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand status" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand status" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand status" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand status" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand status" -s w -l watch -d 'Tell it again and again until the run ends'
complete -c notify -n "__fish_notify_using_subcommand status" -l json -d 'One JSON object; with --watch one a second'
complete -c notify -n "__fish_notify_using_subcommand status" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand status" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand wait" -l timeout -d 'Wait no longer than this: exit 11 where it is still running then' -r
complete -c notify -n "__fish_notify_using_subcommand wait" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand wait" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand wait" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand wait" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand wait" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand wait" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand wait" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand wait" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand wait" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand wait" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand pause" -l reason -d 'Why, for those who read the events of the run' -r
complete -c notify -n "__fish_notify_using_subcommand pause" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand pause" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand pause" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand pause" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand pause" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand pause" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand pause" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand pause" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand pause" -l json -d 'One JSON object'
complete -c notify -n "__fish_notify_using_subcommand pause" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand pause" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand abort" -l reason -d 'Why, for those who read the events of the run' -r
complete -c notify -n "__fish_notify_using_subcommand abort" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand abort" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand abort" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand abort" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand abort" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand abort" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand abort" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand abort" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand abort" -l json -d 'One JSON object'
complete -c notify -n "__fish_notify_using_subcommand abort" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand abort" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand abort" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand set" -l reason -d 'Why, for those who read the events of the run' -r
complete -c notify -n "__fish_notify_using_subcommand set" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand set" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand set" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand set" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand set" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand set" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand set" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand set" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand set" -l json -d 'One JSON object'
complete -c notify -n "__fish_notify_using_subcommand set" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand set" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand events" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand events" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand events" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand events" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand events" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand events" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand events" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand events" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand events" -s f -l follow -d 'Go on until the run ends'
complete -c notify -n "__fish_notify_using_subcommand events" -l json -d 'One JSON object a line'
complete -c notify -n "__fish_notify_using_subcommand events" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand events" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand events" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand report" -l format -d 'Form of the report' -r -f -a "text\t'A screen for people'
json\t'report.json'
csv\t'results.csv'
html\t'report.html, a page that needs nothing else'"
complete -c notify -n "__fish_notify_using_subcommand report" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand report" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand report" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand report" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand report" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand report" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand report" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand report" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand report" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand report" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand find" -l to -d 'Rows to this address' -r
complete -c notify -n "__fish_notify_using_subcommand find" -l status -d 'Rows in this state: pending, sent, failed, in_doubt or skipped' -r
complete -c notify -n "__fish_notify_using_subcommand find" -l kind -d 'Failures of this kind, such as bad_address' -r
complete -c notify -n "__fish_notify_using_subcommand find" -l since -d 'Rows of runs that began within this time, such as 7d [default: all]' -r
complete -c notify -n "__fish_notify_using_subcommand find" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand find" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand find" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand find" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand find" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand find" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand find" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand find" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand find" -l json -d 'One JSON object a line'
complete -c notify -n "__fish_notify_using_subcommand find" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand find" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand find" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -f -a "add" -d 'Write no more to these addresses, or to a whole domain (@example.com)'
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -f -a "rm" -d 'Take addresses off the list'
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -f -a "list" -d 'Show the list'
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -f -a "import" -d 'Add every line of a file: an address, and after a comma perhaps why; empty lines and # are passed over'
complete -c notify -n "__fish_notify_using_subcommand suppress; and not __fish_seen_subcommand_from add rm list import check" -f -a "check" -d 'Say which of these addresses are suppressed; exit 10 if none is'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -l reason -d 'Why, for people' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -l json -d 'One JSON object a line'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -l reason -d 'Why, for people, where a line does not say' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand suppress; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand prune" -l keep -d 'Keep runs that ended within this time' -r
complete -c notify -n "__fish_notify_using_subcommand prune" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand prune" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand prune" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand prune" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand prune" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand prune" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand prune" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand prune" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand prune" -l dry-run -d 'Only say which runs would go'
complete -c notify -n "__fish_notify_using_subcommand prune" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand prune" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -f -a "list" -d 'List all platforms'
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -f -a "show" -d 'Show what a platform can do and what its accounts take'
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -f -a "check" -d 'Prove an account\'s credentials; sends nothing'
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -f -a "new" -d 'Print the beginning of a definition of your own'
complete -c notify -n "__fish_notify_using_subcommand platforms; and not __fish_seen_subcommand_from list show check new docs" -f -a "docs" -d 'Write the pages of the reference into a folder'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -l family -d 'Only this family: chat, sms, email, push, paging, webhook, own' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -l json -d 'One JSON object a line'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -l json -d 'One JSON object'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -l markdown -d 'As a page of Markdown'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -l all -d 'Every account of the config'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand platforms; and __fish_seen_subcommand_from docs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -f -a "list" -d 'List all templates'
complete -c notify -n "__fish_notify_using_subcommand templates; and not __fish_seen_subcommand_from list show" -f -a "show" -d 'Show a template\'s forms and variables'
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -l json -d 'One JSON object a line'
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand templates; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -f -a "path" -d 'Which files are read, in their order'
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -f -a "show" -d 'What is in force; secrets are not shown'
complete -c notify -n "__fish_notify_using_subcommand config; and not __fish_seen_subcommand_from path show check" -f -a "check" -d 'Every error and warning'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from path" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -l origin -d 'Also where each value comes from'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'As JSON'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand sink" -l smtp -d 'Listen for SMTP here (loopback only)' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l smtps -d 'Listen for SMTP over implicit TLS here' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l http -d 'Listen for HTTP here' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l faults -d 'How to misbehave, such as 451@30%,421@5%,cut-after-data@2%; see the guide' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l ledger -d 'Append one JSON line per message and request here' -r -F
complete -c notify -n "__fish_notify_using_subcommand sink" -l save -d 'Write every message and request into this folder' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand sink" -l without -d 'Extensions not to offer: pipelining, chunking, 8bitmime, smtputf8, starttls, size, auth' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l auth -d 'Require this user; the password is in the environment variable NOTIFY_SINK_PASSWORD' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l cert-out -d 'Write the certificate of the sink\'s authority here, for ca_file' -r -F
complete -c notify -n "__fish_notify_using_subcommand sink" -l delay -d 'Wait so long before every answer' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l knee -d 'Beyond so many HTTP requests at a time it breaks down: each takes ten times as long and more, and every other one fails (503)' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l limit -d 'Answer HTTP requests that come faster than this by 429, without saying how long to wait' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l stop-after -d 'Stop after so many messages and requests' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l seed -d 'Seed of the faults\' dice' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand sink" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand sink" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand sink" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand sink" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand sink" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand sink" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand sink" -l json -d 'Print the counts as JSON at the end'
complete -c notify -n "__fish_notify_using_subcommand sink" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand sink" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand sink" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand completions" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand completions" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand completions" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand completions" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand completions" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand completions" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand completions" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand completions" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand completions" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand completions" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c notify -n "__fish_notify_using_subcommand man" -s c -l config -d 'Read this config file instead of the usual ones' -r -F
complete -c notify -n "__fish_notify_using_subcommand man" -s p -l profile -d 'Use this profile of the config' -r
complete -c notify -n "__fish_notify_using_subcommand man" -l state-dir -d 'Where runs and their journals are kept [default: $XDG_STATE_HOME/notify]' -r -f -a "(__fish_complete_directories)"
complete -c notify -n "__fish_notify_using_subcommand man" -l platform-file -d 'A definition of a platform of your own, beside those in the folders of the config; repeatable' -r -F
complete -c notify -n "__fish_notify_using_subcommand man" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Always'
never\t'Never'"
complete -c notify -n "__fish_notify_using_subcommand man" -l log-format -d 'Form of the log on stderr' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c notify -n "__fish_notify_using_subcommand man" -l metrics-file -d 'Write the numbers of a run here once a second, as Prometheus reads them from a text file' -r -F
complete -c notify -n "__fish_notify_using_subcommand man" -l metrics-listen -d 'Serve the numbers of a run at /metrics, and /healthz, while it lasts; a port alone is of this machine alone' -r
complete -c notify -n "__fish_notify_using_subcommand man" -s v -l verbose -d 'Say more on stderr (-v info, -vv debug); NOTIFY_LOG=notify=trace filters'
complete -c notify -n "__fish_notify_using_subcommand man" -s q -l quiet -d 'Say nothing on success; on trouble one summary'
complete -c notify -n "__fish_notify_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
