#!/usr/bin/perl

# Tests of tools/codat-send, as a library and as a command, against a small
# server of our own on 127.0.0.1.  No nginx.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP qw(decode_json encode_json);
use MIME::Base64 qw(encode_base64 decode_base64);
use Test::More;
use POSIX ();
use Time::HiRes qw(time sleep);

my $tool = abs_path(dirname(__FILE__) . '/../tools/codat-send');
my $dir = tempdir(CLEANUP => 1);
my $log = "$dir/requests";
my $secret = 'whsec_' . encode_base64(join('', map { chr } 1 .. 24), '');
my $other = 'whsec_' . encode_base64(join('', map { chr } 101 .. 132), '');

require $tool;
pass('loaded as a library, which ran nothing');


# --- the server: the path says what to answer ------------------------------

my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64) or die $!;
my $base = 'http://127.0.0.1:' . $listener->sockport;
my $owner = $$;
my $server = fork // die;
serve() if !$server;
close $listener;

END {
    if ($server && $$ == $owner) {
        local $?;
        kill 'KILL', -$server;
        waitpid $server, 0;
    }
}

sub serve {
    setpgrp 0, 0;
    $SIG{CHLD} = 'IGNORE';
    for (;;) {
        my $client = $listener->accept or next;
        next if fork;
        $client->autoflush(1);
        while (defined(my $head = read_head($client))) {
            answer($client, $head) or last;
        }
        POSIX::_exit(0);
    }
}

sub read_head {
    my ($client) = @_;
    my $head = '';
    while (defined(my $line = readline $client)) {
        return $head if $line eq "\r\n";
        $head .= $line;
    }
    return undef;
}

sub answer {
    my ($client, $head) = @_;
    my ($path) = $head =~ m{^\S+ (\S+) };
    my ($body, $wire) = ('', '');
    if ($path eq '/early') {
        print $client "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        sleep 0.3;
        return 0;
    }
    if ($head =~ /^Transfer-Encoding: chunked\r$/m) {
        for (;;) {
            my $line = readline $client;
            my $size = hex($line =~ s/\s+//r);
            read $client, my $chunk, $size + 2;
            $wire .= $line . $chunk;
            last if $size == 0;
            $body .= substr $chunk, 0, -2;
        }
    } elsif ($head =~ /^Content-Length: (\d+)/m) {
        read $client, $body, $1;
        $wire = $body;
    }
    open my $out, '>>', $log;
    syswrite $out, encode_json({ head => $head, pid => $$, size => length $body,
        wire => substr($wire, 0, 65536), body => substr($body, 0, 65536) }) . "\n";
    close $out;
    return 0 if $path eq '/drop';
    sleep 5 if $path eq '/slow';
    my $status = $path =~ m{^/(\d+)} ? $1 : 200;
    my $text = $path eq '/echo' ? $head
        : $status == 200 ? '{"id":"1","type":"t","result":"accepted"}'
        : '{"title":"No","status":' . $status . ',"detail":"so","code":"signature_mismatch"}';
    my $close = $path eq '/once' ? "Connection: close\r\n" : '';
    if ($path eq '/chunked') {
        print $client "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            (map { sprintf "%x\r\n%s\r\n", length, $_ } $text =~ /(.{1,7})/gs), "0\r\n\r\n";
    } elsif ($path eq '/old') {
        print $client "HTTP/1.0 200 OK\r\n\r\n$text";
    } else {
        print $client "HTTP/1.1 $status X\r\nContent-Length: ", length $text, "\r\n$close\r\n$text";
    }
    return $path !~ m{^/(?:once|old)};
}

# Runs the command in a process of its own (as a program where "exec" is set,
# else in this perl, which is quicker): exit code, output, error output.
sub run {
    my (@args) = @_;
    my $options = ref $args[0] ? shift @args : {};
    my $code;
    my $pid = fork // die;
    if (!$pid) {
        open STDIN, '<', $options->{stdin} // '/dev/null';
        open STDOUT, '>', "$dir/out";
        open STDERR, '>', "$dir/err";
        exec $tool, @args if $options->{exec};
        $code = CodatSend::main(@args);
        close STDOUT;
        POSIX::_exit($code);
    }
    waitpid $pid, 0;
    $code = $? >> 8;
    return ($code, map { slurp("$dir/$_") } qw(out err));
}

# Runs it and returns the requests that arrived too.
sub sent {
    unlink $log;
    my ($code, $out, $err) = run(@_);
    my @requests = map { decode_json($_) } split /\n/, -e $log ? slurp($log) : '';
    return ($code, $out, $err, @requests);
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or die "$path: $!";
    local $/;
    return readline($file) // '';
}

sub spew {
    my ($name, $text) = @_;
    open my $file, '>:raw', "$dir/$name" or die $!;
    print $file $text;
    close $file;
    chmod 0600, "$dir/$name";
    return "$dir/$name";
}

sub header {
    my ($request, $name) = @_;
    return $request->{head} =~ /^\Q$name\E: (.*)\r$/mi ? $1 : undef;
}

my $date = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
my $uuid = qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;


# --- signatures --------------------------------------------------------------

my $have_ed25519 = eval {
    CodatSend::sign('whsk_' . encode_base64('x' x 64, ''), 'id', 1, '');
};

my @vectors = (
    [ 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330,
      '{"test": 2432232314}', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=' ],
    [ 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD', 'msg_27UH4WbU6Z5A5EzD8u03UvzRbpk', 1649367553,
      '{"email":"test@example.com","username":"test_user"}',
      'v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=' ],
    [ 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==',
      'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}',
      'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==' ],
);

for my $n (0 .. $#vectors) {
    SKIP: {
        skip 'openssl cannot sign with Ed25519', 1 if $n == 2 && !$have_ed25519;
        my ($key, $id, $time, $body, $want) = @{ $vectors[$n] };
        is(CodatSend::sign($key, $id, $time, $body), $want, "published vector " . ($n + 1));
    }
}
my ($key, $id, $time, $body, $want) = @{ $vectors[0] };
is(CodatSend::sign($key =~ s/whsec_//r, $id, $time, $body), $want, 'without whsec_');
is(CodatSend::sign("v1,$key", $id, $time, $body), $want, 'with v1, pasted in front');
like(CodatSend::sign([ $key, $other ], $id, $time, $body), qr/^\Q$want\E v1,\S{44}$/,
     'two secrets, two signatures');
is(CodatSend::sign('whsec_QUJD' . 'RA', 'i', 1, 'b'), CodatSend::sign('whsec_QUJDRA==', 'i', 1, 'b'),
   'padding may be missing');
for my $bad ('', 'whsec_', 'whsec_!!!!', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw/Je4ZJEGP1QFb',
             'whsk_QUJD', 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=')
{
    ok(!defined eval { CodatSend::sign($bad, 'i', 1, 'b') }, 'refused: "' . substr($bad, 0, 10) . '"');
    unlike($@, qr/GKYqr|1SiA4|!!!/, 'without quoting it');
}


# --- the catalogue -----------------------------------------------------------

my @catalogue = CodatSend::catalogue();
my %in;
$in{ $_->{generation} }{ $_->{event} } = $_ for @catalogue;
is(scalar keys %{ $in{current} }, 2 + 2 + 6 + 10 + 36 + 2 + 2 + 2 + 6 + 1, 'events of today');
is(scalar keys %{ $in{legacy} }, 14, 'rules');
is(scalar keys %{ $in{transitional} }, 13 + 2, 'transitional events');
is(scalar @catalogue, 69 + 14 + 15, 'each once');
is(scalar(grep { !length $_->{description} } @catalogue), 0, 'all are described');

# what protocol facts say must be where; a path ending in ? may be null
my @shape = (
    [ qr/^company\.(?:created|deleted)$/, qw(id name created lastSync? tags products) ],
    [ qr/^company\.product\./, qw(id name productId productName products) ],
    [ qr/^connection\./, qw(referenceCompany.id referenceCompany.name referenceCompany.tags
        connection.id connection.integrationKey connection.status connection.sourceType
        connection.platformName connection.created connection.lastSync?) ],
    [ qr/read\.completed/, qw(referenceCompany.id modifiedFromDate dataTypes.0.connectionId
        dataTypes.0.dataType dataTypes.0.status dataTypes.0.issues dataTypes.0.recordsModified) ],
    [ qr/\.write\./, qw(id type referenceCompany.id connectionId status requestedOnDate
        completedOnDate) ],
    [ qr/\.write\.successful$/, qw(record.id) ],
    [ qr/^client\.rateLimit\./, qw(dailyQuota quotaRemaining expiryDate) ],
    [ qr/^bankFeeds\./, qw(referenceCompany.id connectionId sourceAccount.id sourceAccount.status) ],
    [ qr/^expenses\.sync\./, qw(referenceCompany.id syncId transactions.0.id transactions.1.status
        transactions.1.errorMessage?) ],
    [ qr/^reports\./, qw(id referenceCompany.id) ],
);
my %data = (
    DataConnectionStatusChanged => [ qw(dataConnectionId newStatus oldStatus platformKey) ],
    NewCompanySynchronized => [ qw(companyName sourceType) ],
    DataSyncCompleted => [ qw(dataType datasetId) ],
    DatasetDataChanged => [ qw(dataType datasetId) ],
    DataSyncStatusChangedToError => [ qw(dataType datasetStatus datasetId) ],
    PushOperationStatusChanged => [ qw(dataType status pushOperationKey) ],
    PushOperationTimedOut => [ qw(dataType pushOperationKey pushOperationGuid) ],
    AccountCategoriesUpdated => [ qw(modifiedDate) ],
    SyncConnectionDeleted => [],
    SyncStarted => [ qw(syncId syncType) ],
    SyncCompleted => [ qw(syncId syncType) ],
    SyncFailed => [ qw(syncId syncType FailureStage) ],
    ClientRateLimitReached => [ qw(DailyQuota ExpiresUtc) ],
    ClientRateLimitReset => [ qw(QuotaRemaining ResetReason DailyQuota ExpiresUtc) ],
);

sub at {
    my ($value, $path) = @_;
    for my $key (split /\./, $path) {
        my $has = ref $value eq 'ARRAY' ? $key < @$value : ref $value eq 'HASH' && exists $value->{$key};
        return (0) unless $has;
        $value = ref $value eq 'ARRAY' ? $value->[$key] : $value->{$key};
    }
    return (1, $value);
}

for my $entry (@catalogue) {
    my ($event, $generation) = @$entry{qw(event generation)};
    my $what = "$generation $event";
    my $text = CodatSend::body(event => $event, generation => $generation);
    my $data = eval { decode_json($text) };
    is(ref $data, 'HASH', "$what: a JSON object") or next;
    my @wrong;
    if ($event =~ /^bankFeeds/ && $generation eq 'transitional') {
        push @wrong, grep { !(at($data, $_))[0] } qw(companyId connectionId bankAccount.id);
        push @wrong, 'name' if exists $data->{eventType};
    } elsif ($event =~ /\./) {
        my $name = $event =~ s/\{product\}/onboarding/r;
        push @wrong, 'keys' unless join(' ', sort keys %$data) eq 'eventType generatedDate id payload';
        push @wrong, 'eventType' unless $data->{eventType} eq $name;
        push @wrong, 'id' unless $data->{id} =~ $uuid;
        push @wrong, 'date' unless $data->{generatedDate} =~ $date;
        push @wrong, 'shape' unless grep { $event =~ $_->[0] } @shape;
        for my $shape (grep { $event =~ $_->[0] } @shape) {
            my ($pattern, @paths) = @$shape;
            for my $path (@paths) {
                my $null = $path =~ /\?$/;
                my ($has, $value) = at($data->{payload}, $path =~ s/\?$//r);
                push @wrong, $path unless $has && ($null || defined $value);
            }
        }
        push @wrong, 'order' unless $text =~ /^\{"id":.*?"eventType":.*?"generatedDate":.*?"payload":/;
    } else {
        my $rate = $event =~ /^ClientRate/;
        push @wrong, grep { !length($data->{$_} // '') } qw(AlertId RuleType Message ClientId ClientName),
            $rate ? () : 'CompanyId', $rate || $event =~ /^Sync/ ? () : 'DataConnectionId';
        push @wrong, 'ids' if $rate && exists $data->{CompanyId}
            || $event =~ /^Sync/ && exists $data->{DataConnectionId};
        push @wrong, 'RuleId' if ($generation eq 'legacy') != exists $data->{RuleId};
        push @wrong, 'Data' unless join(' ', sort @{ $data{$event} })
            eq join(' ', sort keys %{ $data->{Data} || {} });
        push @wrong, 'no Data' if exists $data->{Data} != !!@{ $data{$event} };
    }
    is("@wrong", '', "$what: has what it must have");
}

sub body_of { return decode_json(CodatSend::body(@_)) }

my %rule_names = (
    DataConnectionStatusChanged => [ 'Company data connection status changed' ],
    NewCompanySynchronized => [ 'New company synchronised', 'New company synchronized' ],
    DataSyncCompleted => [ 'Data sync completed' ],
    DatasetDataChanged => [ 'Dataset data changed' ],
    DataSyncStatusChangedToError => [ 'Data Sync Status Changed to Error',
        'Dataset status has changed to an error state' ],
    PushOperationStatusChanged => [ 'Push Operation Status Changed()', 'Push Operation Status Changed',
        'Push operation status has changed' ],
    PushOperationTimedOut => [ 'Push Operation Timed Out', 'Push operation has timed out' ],
    SyncConnectionDeleted => [ 'Sync Connection Deleted' ],
    SyncStarted => [ 'Sync Started' ],
    SyncCompleted => [ 'Sync Completed', 'Sync Complete', 'Expenses sync completed' ],
    SyncFailed => [ 'Sync Failed', 'Expenses sync failed' ],
    ClientRateLimitReached => [ 'Rate Limit Reached', 'Client rate limit reached',
        'Client rate limit exceeded' ],
    ClientRateLimitReset => [ 'Rate Limit Reset', 'Client rate limit reset' ],
);
for my $name (sort keys %rule_names) {
    for my $spelling (@{ $rule_names{$name} }) {
        my $m = CodatSend::message(event => $spelling);
        is("$m->{event} $m->{generation} " . decode_json($m->{body})->{RuleType},
           "$name legacy $spelling", "spelling: $spelling");
    }
}
is(body_of(event => 'PushOperationStatusChanged')->{RuleType}, 'Push Operation Status Changed()',
   'a canonical rule name is sent in its usual spelling');
is(CodatSend::message(event => 'AccountCategoriesUpdated')->{generation}, 'current',
   'AccountCategoriesUpdated is still current');

my @mapped = (                      # current event and rule, both ways
    [ 'connection.created',      'DataConnectionStatusChanged', '>PendingAuth' ],
    [ 'connection.connected',    'DataConnectionStatusChanged', 'PendingAuth>Linked' ],
    [ 'connection.disconnected', 'DataConnectionStatusChanged', 'Linked>Unlinked' ],
    [ 'connection.reconnected',  'DataConnectionStatusChanged', 'Unlinked>Linked' ],
    [ 'connection.deleted',      'DataConnectionStatusChanged', '>' ],
    [ 'read.completed',          'DataSyncCompleted' ],
    [ 'read.completed.initial',  'NewCompanySynchronized' ],
    [ 'bills.write.successful',  'PushOperationStatusChanged' ],
    [ 'bills.write.unsuccessful', 'PushOperationStatusChanged' ],
    [ 'expenses.sync.successful', 'SyncCompleted' ],
    [ 'expenses.sync.unsuccessful', 'SyncFailed' ],
    [ 'client.rateLimit.reached', 'ClientRateLimitReached' ],
    [ 'client.rateLimit.reset',  'ClientRateLimitReset' ],
);
for my $row (@mapped) {
    my ($event, $rule, $statuses) = @$row;
    my $m = CodatSend::message(event => $event, generation => 'legacy');
    is($m->{event}, $rule, "$event as a rule");
    my $data = decode_json($m->{body})->{Data};
    is("$data->{oldStatus}>$data->{newStatus}", $statuses, 'with its statuses') if defined $statuses;
    my ($old, $new) = defined $statuses ? split(/>/, $statuses, -1) : ();
    my %status = defined $statuses ? (status => $new, old_status => $old)
        : $event =~ /^bills/ ? (status => $data->{status}, data_type => 'bills') : ();
    is(CodatSend::message(event => $rule, generation => 'current', %status)->{event}, $event,
       "$rule as an event of today");
}
is(body_of(event => 'bills.write.unsuccessful', generation => 'legacy')->{Data}{dataType}, 'bills',
   'the data type goes along');
is(body_of(event => 'PushOperationTimedOut', generation => 'current')->{payload}{status}, 'TimedOut',
   'a timed-out push keeps its status');
ok(body_of(event => 'DatasetDataChanged', generation => 'current')->{payload}{dataTypes}[0]{recordsModified},
   'changed data were modified');
for my $impossible ([ 'company.created', 'legacy' ], [ 'connection.failed', 'legacy' ],
    [ 'SyncStarted', 'current' ], [ 'SyncStarted', 'transitional' ], [ 'bankFeeds.sourceAccount.connected',
    'legacy' ], [ 'invoice.paid', undef ], [ 'bills.write', undef ])
{
    ok(!eval { CodatSend::body(event => $impossible->[0], generation => $impossible->[1]) },
       "no $impossible->[0]" . ($impossible->[1] ? " in $impossible->[1]" : ''));
}
ok(!eval { CodatSend::body(event => 'PushOperationStatusChanged', status => 'Pending',
                           generation => 'current') }, 'a pending push has no event of today');

my $read = body_of(event => 'lending.read.completed.initial', data_type => 'bills,items', error => 'odd');
is($read->{eventType}, 'lending.read.completed.initial', 'a product of your own');
is(join(' ', map { $_->{dataType} } @{ $read->{payload}{dataTypes} }), 'bills items', 'several data types');
is($read->{payload}{dataTypes}[1]{issues}[0]{message}, 'odd', 'an issue');
is(body_of(event => '{dataType}.write.successful', data_type => 'journals')->{eventType},
   'journals.write.successful', '{dataType} is replaced');
is(body_of(event => 'widgets.write.successful')->{eventType}, 'widgets.write.successful',
   'a data type nobody knows');
is(body_of(event => 'report.creditModel.generate.successful')->{eventType},
   'report.creditModel.generate.successful', 'report. as the documentation spells it');
is(body_of(event => 'INVOICES.Write.Successful')->{eventType}, 'invoices.write.successful',
   'without regard to case');
my $attached = body_of(event => 'bills.write.successful', attachment_id => 'a-1', record_id => 'r-1')->{payload};
is("$attached->{type} $attached->{attachmentId} $attached->{record}{id}", 'UploadAttachment a-1 r-1',
   'an attachment');
is(body_of(event => 'connection.disconnected', status => 'Deauthorized', error => 'gone')
    ->{payload}{connection}{dataConnectionErrors}[0]{errorMessage}, 'gone', 'a connection error');
like(body_of(event => 'PushOperationTimedOut', error => 'too slow')->{Message}, qr/too slow/,
     'a rule has errors in its message');
is(body_of(event => 'company.created', company_name => "Caf\xc3\xa9 \"1\"\n", tags => { k => "\x{2713}" })
    ->{payload}{name}, "Caf\xe9 \"1\"\n", 'text is UTF-8 and escaped');


# --- the command -------------------------------------------------------------

my @push = ('--event', 'invoices.write.successful');
my ($code, $out, $err, @requests);

($code, $out, $err, @requests) = sent({ exec => 1 }, '--secret', $secret, @push, "$base/hook?x=1");
is($code, 0, 'sent: exit 0');
like($out, qr/^200 X  invoices\.write\.successful  msg_\w{27}  [\d.]+ ms\n\{"id".*\}\n\z/,
     'prints status, event, id, time and body');
is($err, '', 'nothing on the error output');
is(scalar @requests, 1, 'one request');
my $got = $requests[0];
like($got->{head}, qr{^POST /hook\?x=1 HTTP/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n}, 'request line and host');
is(header($got, 'Content-Type'), 'application/json', 'content type');
is(header($got, 'webhook-signature'), CodatSend::sign($secret, header($got, 'webhook-id'),
   header($got, 'webhook-timestamp'), $got->{body}), 'the signature is right');
cmp_ok(abs(header($got, 'webhook-timestamp') - time), '<', 5, 'the timestamp is now');
is(header($got, 'X-Codat-ClientId'), undef, 'the service of today sends no client header');
is(header($got, 'Authorization'), undef, 'nor an authorization');

($code, $out, $err, @requests) = sent('--secret', $secret, '--secret', "v1,$other", '--svix', @push,
    '--clock=-600', '--id', 'msg_1', '--client', 'c-9', '--company', 'co', '--company-name', 'Name',
    '--connection', 'cn', '--push-key', 'pk', '--status', 'Odd', '--record-id', 'r', '--attachment-id',
    'a', '--event-id', 'e', '--tag', 'k=v=w', '--tag', 'z=', '--generated', '2024-01-02T03:04:05Z',
    '--method', 'PUT', '--content-type', 'text/plain', '--header', 'X-One: 1', '--header', 'X-One: 2',
    "$base/");
$got = $requests[0];
my $payload = decode_json($got->{body})->{payload};
like($got->{head}, qr/^PUT /, '--method');
is(header($got, 'svix-signature'), CodatSend::sign([ $secret, $other ], 'msg_1',
   header($got, 'svix-timestamp'), $got->{body}), '--svix, --id and two secrets');
is(header($got, 'webhook-id'), undef, 'no webhook-* beside svix-*');
cmp_ok(abs(header($got, 'svix-timestamp') - time + 600), '<', 5, '--clock');
is(header($got, 'X-Codat-ClientId'), 'c-9', '--client');
is(header($got, 'Content-Type'), 'text/plain', '--content-type');
like($got->{head}, qr/X-One: 1\r\nX-One: 2\r\n/, '--header twice');
is_deeply([ @{ $payload->{referenceCompany} }{qw(id name)}, @$payload{qw(connectionId id status
    attachmentId)}, $payload->{record}{id} ], [ qw(co Name cn pk Odd a r) ], 'values in the body');
is_deeply($payload->{referenceCompany}{tags}, { k => 'v=w', z => '' }, '--tag');
is(join(' ', @{ decode_json($got->{body}) }{qw(id generatedDate)}), 'e 2024-01-02T03:04:05Z',
   '--event-id and --generated');

($code, $out, $err, @requests) = sent('--bearer', 'token-1', '--event', 'DataConnectionStatusChanged',
    '--old-status', 'Linked', '--status', 'Deauthorized', '--client', 'c-1', "$base/");
$got = $requests[0];
is(header($got, 'Authorization'), 'Bearer token-1', '--bearer');
is(header($got, 'webhook-id'), undef, 'the old service signs nothing');
is(header($got, 'X-Codat-ClientId') . decode_json($got->{body})->{ClientId}, 'c-1c-1', 'client in both');
is_deeply([ @{ decode_json($got->{body})->{Data} }{qw(oldStatus newStatus)} ], [ qw(Linked Deauthorized) ],
   '--old-status');

my $basic = spew('basic', "# mine\n\nme:pass word\n");
(undef, undef, undef, @requests) = sent('--basic', "file:$basic", '--header', 'user-agent:', @push, "$base/");
is(header($requests[0], 'Authorization'), 'Basic ' . encode_base64('me:pass word', ''), '--basic file:');
is(header($requests[0], 'User-Agent'), undef, 'a header is removed');
(undef, undef, undef, @requests) = sent(@push, "$base/" =~ s{//}{//u%20x:pw\@}r);
is(header($requests[0], 'Authorization'), 'Basic ' . encode_base64('u x:pw', ''), 'user in the URL');
(undef, undef, undef, @requests) = sent('--unsigned', '--event', 'Data sync completed', "$base/");
ok(header($requests[0], 'X-Codat-ClientId'), 'the old service always sends the client');
is(header($requests[0], 'Authorization'), undef, '--unsigned');

my $file = spew('secrets', "# old and new\n$secret\n\n  $other  \n");
($code, undef, $err, @requests) = sent('--secret', "file:$file", @push, "$base/");
is(scalar(split / /, header($requests[0], 'webhook-signature')), 2, '--secret file: with two lines');
is($err, '', 'no complaint about a private file');
chmod 0644, $file;
($code, undef, $err) = sent('--secret', "file:$file", @push, "$base/");
is($code, 0, 'a readable file works');
like($err, qr/readable by everybody/, 'with a warning');

my $raw = spew('raw.json', "{ \"eventType\" : \"x.y\",\r\n\"z\":\0 }\n");
(undef, $out, undef, @requests) = sent('--secret', $secret, '--body', $raw, "$base/");
is($requests[0]{body}, slurp($raw), '--body FILE: exactly these bytes');
like($out, qr/  x\.y  /, 'named by what is in it');
(undef, undef, undef, @requests) = sent({ stdin => $raw }, '--secret', $secret, '--body', '-', "$base/");
is($requests[0]{body}, slurp($raw), '--body -');

my $big = spew('big.json', '{"eventType":"big","x":"' . 'y' x 3_000_000 . '"}');
($code, undef, undef, @requests) = sent('--secret', $secret, '--body', $big, "$base/");
is($requests[0]{size}, -s $big, 'a large body');
($code, $out) = run('--secret', $secret, '--body', $big, "$base/early");
is($code, 1, 'an early refusal of a large body: exit 1');
like($out, qr/^413 /, 'its status is seen');

(undef, undef, undef, @requests) = sent('--secret', $secret, '--chunked', @push, "$base/chunked");
like($requests[0]{wire}, qr/^100\r\n.{256}\r\n.*\r\n0\r\n\r\n\z/s, '--chunked: several chunks');
is(header($requests[0], 'Content-Length'), undef, 'and no length');
is(decode_json($requests[0]{body})->{eventType}, 'invoices.write.successful', 'which make the body');

($code, $out, undef, @requests) = sent('--secret', $secret, @push, '--count', 5, "$base/");
is(scalar @requests, 5, '--count');
is(scalar(keys %{ { map { $_->{pid} => 1 } @requests } }), 1, 'over one connection');
is(scalar(keys %{ { map { header($_, 'webhook-id') => 1 } @requests } }), 5, 'fresh webhook ids');
is(scalar(keys %{ { map { decode_json($_->{body})->{payload}{id} => 1 } @requests } }), 5, 'fresh push keys');
like($out, qr/^5 sent in [\d.]+ s \(\d+\/s\): 5 x 200; median /m, 'with a summary');
(undef, undef, undef, @requests) = sent('--secret', $secret, @push, '--count', 3, '--id', 'same', "$base/once");
is(scalar(keys %{ { map { header($_, 'webhook-id') . $_->{body} => 1 } @requests } }), 1,
   '--id with --count: the same message again, also where connections are closed');
(undef, $out, undef, @requests) = sent('--secret', $secret, @push, '--event', 'company.created',
    '--count', 20, '--concurrency', 4, '--json', "$base/");
is(scalar @requests, 40, '--concurrency sends all');
is(scalar(keys %{ { map { $_->{pid} => 1 } @requests } }), 4, 'over that many connections');
my @lines = map { decode_json($_) } split /\n/, $out;
is(scalar @lines, 40, '--json: a line each');
is_deeply([ sort keys %{ $lines[0] } ], [ qw(code error event eventId generation milliseconds result
    status webhookId) ], 'with these keys');
is(join(' ', sort map { $_->{webhookId} } @lines), join(' ', sort map { header($_, 'webhook-id') } @requests),
   'and the ids that were sent');
my $start = time;
sent('--secret', $secret, @push, '--count', 4, '--rate', '10/s', '--quiet', "$base/");
cmp_ok(time - $start, '>', 0.3, '--rate');

($code, $out) = run({ exec => 1 }, '--secret', $secret, @push, '--json', "$base/401");
is($code, 1, 'refused: exit 1');
my $line = decode_json($out);
is("$line->{status} $line->{code}", '401 signature_mismatch', 'the code of a problem');
($code, $out) = run('--secret', $secret, @push, '--quiet', "$base/");
is("$code$out", '0', '--quiet is quiet');
($code, $out) = run('--secret', $secret, @push, '--quiet', "$base/503");
like("$code$out", qr/^1503 /, 'but not about what was refused');
($code, $out) = run('--secret', $secret, @push, "$base/204");
is($code, 0, 'any 2xx is good');
($code, $out) = run('--secret', $secret, @push, "$base/old");
like($out, qr/accepted/, 'an answer that ends with the connection');
($code, $out) = run('--secret', $secret, @push, "$base/drop");
like("$code$out", qr/^1failed.*without an answer/s, 'no answer: exit 1');
($code, $out) = run('--secret', $secret, @push, '--timeout', '0.3', "$base/slow");
like("$code$out", qr/^1failed.*no answer within 0\.3 s/s, '--timeout');
my $closed = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
my $nobody = 'http://127.0.0.1:' . $closed->sockport;
close $closed;
($code, $out) = run({ exec => 1 }, '--secret', $secret, @push, '--count', 9, '--concurrency', 2, '--json', $nobody);
is($code, 3, 'nobody listens: exit 3');
is(scalar(() = $out =~ /\n/g), 2, 'and each connection gives up');

($code, $out, $err, @requests) = sent('--secret', $secret, '--all', '--quiet', "$base/");
is("$code$out", '0', '--all');
is(scalar @requests, scalar @catalogue, 'sends one of each');
($code, $out) = run('--all', '--generation', 'legacy', '--show');
is(scalar(() = $out =~ /"RuleId"/g), 14, '--all --generation --show');
($code, $out) = run('--list');
is(scalar(() = $out =~ /\n/g), scalar @catalogue, '--list');
like($out, qr/^invoices\.write\.successful +current +\S/m, 'name, generation, description');
($code, $out) = run('--list', '--json', '--generation', 'transitional');
is(decode_json((split /\n/, $out)[0])->{generation}, 'transitional', '--list --json');
($code, $out) = run('--show', @push, '--company', 'new', '--company-name', "L\xc3\xbc");
like($out, qr/"name":"L\xc3\xbc"/, '--show');
like(decode_json($out)->{payload}{referenceCompany}{id}, $uuid, 'an id may be new');
($code, $out) = run({ exec => 1 }, '--help');
like("$code$out", qr/^0Usage: .*Examples/s, '--help');

for my $usage (
    [ 'no URL', '--secret', $secret, @push ],
    [ 'two URLs', '--secret', $secret, @push, $base, $base ],
    [ 'URL', '--secret', $secret, @push, 'ftp://127.0.0.1/' ],
    [ 'no event', '--secret', $secret, $base ],
    [ 'event and body', '--secret', $secret, @push, '--body', $raw, $base ],
    [ 'unknown event', '--secret', $secret, '--event', 'nope', $base ],
    [ 'generation', '--secret', $secret, @push, '--generation', 'old', $base ],
    [ 'no credential', @push, $base ],
    [ 'unsigned with secret', '--unsigned', '--secret', $secret, @push, $base ],
    [ 'bad secret', '--secret', 'whsec_Zm9v!' . 'Zm9vYmFy', @push, $base ],
    [ 'public key', '--secret', 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=', @push, $base ],
    [ 'no secret file', '--secret', "file:$dir/none", @push, $base ],
    [ 'basic', '--basic', 'Zm9vYmFy', @push, $base ],
    [ 'header', '--unsigned', '--header', 'Zm9vYmFy', @push, $base ],
    [ 'line break', '--unsigned', '--header', "A: b\nZm9vYmFy: x", @push, $base ],
    [ 'rate', '--secret', $secret, @push, '--rate', 'x', $base ],
    [ 'count', '--secret', $secret, @push, '--count', '0', $base ],
    [ 'count text', '--secret', $secret, @push, '--count', 'x', $base ],
    [ 'concurrency', '--secret', $secret, @push, '--concurrency', '9999', $base ],
    [ 'unknown option', '--secrt', 'Zm9vYmFy', @push, $base ],
    [ 'secret in the place of the URL', '--secret', $secret, @push, 'Zm9vYmFyZm9vYmFyZm9v' ],
    [ 'tag', '--secret', $secret, @push, '--tag', 'k', $base ],
    [ 'verify without secret', '--verify', $raw ],
)
{
    my ($what, @args) = @$usage;
    ($code, $out, $err) = run(@args);
    is($code, 2, "usage: $what: exit 2");
    like($err, qr/\Acodat-send: .+\n\z/, 'one line says why');
    unlike("$out$err", qr/Zm9v|\Q${\ substr $secret, 6 }\E|at \S+ line/, 'no secret, no source line');
}

# secrets are not printed, not even where the server echoes them
for my $echo ([ '--secret', $secret, '--basic', 'me:pass-word' ], [ '--bearer', 'tok-en-1' ],
              [ '--header', 'X-Key: tok-en-1' ])
{
    ($code, $out, $err) = run(@$echo, @push, "$base/echo");
    like($out, qr/Content-Length/, 'the answer is shown');
    unlike("$out$err", qr/pass-word|tok-en-1|\Q${\ substr $secret, 6 }\E|\Q${\ encode_base64('me:pass-word', '') }\E/,
           'without the secret');
}


# --- https ---------------------------------------------------------------------

SKIP: {
    skip 'no IO::Socket::SSL for the server', 7 unless eval { require IO::Socket::SSL };
    my $made = system "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout"
        . " $dir/key.pem -out $dir/cert.pem -days 2 -subj /CN=localhost -addext"
        . " subjectAltName=DNS:localhost,IP:127.0.0.1 2>$dir/openssl";
    skip 'no certificate', 7 if $made != 0;
    my $tls = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 8) or die $!;
    my $port = $tls->sockport;
    my $pid = fork // die;
    if (!$pid) {
        $SIG{PIPE} = 'IGNORE';
        for (;;) {
            my $client = $tls->accept or next;
            IO::Socket::SSL->start_SSL($client, SSL_server => 1, SSL_cert_file => "$dir/cert.pem",
                SSL_key_file => "$dir/key.pem") or next;
            while (defined(my $head = read_head($client))) {
                answer($client, $head) or last;
            }
            close $client;
        }
    }
    my @args = ('--secret', $secret, @push);
    ($code, $out, $err, @requests) = sent(@args, '--ca', "$dir/cert.pem", "https://127.0.0.1:$port/");
    like("$code$out$err", qr/^0200 /, 'https with a certificate that is trusted');
    is(header($requests[0], 'webhook-signature'), CodatSend::sign($secret, header($requests[0], 'webhook-id'),
       header($requests[0], 'webhook-timestamp'), $requests[0]{body}), 'the signature is right');
    ($code, $out, $err, @requests) = sent(@args, '--insecure', '--count', 3, "https://127.0.0.1:$port/");
    is("$code$err" . @requests, '03', '--insecure, three over one connection');
    ($code, $out, $err, @requests) = sent(@args, "https://127.0.0.1:$port/");
    is($code . @requests, '30', 'a certificate that is not: exit 3, nothing sent');
    like($out, qr/cannot connect .*self.signed/, 'and why');
    ($code, $out) = run(@args, $nobody =~ s/http:/https:/r);
    is($code, 3, 'https, nobody listens: exit 3');
    like($out, qr/refused/, 'and why');
    kill 'KILL', $pid;
    waitpid $pid, 0;
}


# --- verify ------------------------------------------------------------------------

my $sample = '{"id":"1","eventType":"a.b","payload":{"x":[1,2]}}';

sub capture {
    my (%c) = @_;
    my $signed = $c{signed} // $sample;
    my $time = $c{time} // 1700000000;
    my $family = $c{family} // 'webhook';
    my $signature = $c{signature} // CodatSend::sign($c{secret} // $secret, 'msg_1', $time, $signed);
    my $shown = $c{body} // $sample;
    return spew('capture', join "\r\n", 'POST /hook HTTP/1.1', 'Host: x', "$family-id: msg_1",
        (exists $c{shown_time} ? $c{shown_time} : "$family-timestamp: $time"), "$family-signature: $signature",
        @{ $c{more} || [] }, '', $shown);
}

my @now = ('--now', 1700000010);

sub verifies {
    my ($what, $expected, $pattern, $args, %c) = @_;
    ($code, $out, $err) = run('--verify', @now, @{ $args || [ '--secret', $secret ] }, capture(%c));
    is($code, $expected, "verify: $what: exit $expected") or diag("$out$err");
    like($out, $pattern, 'says why');
    unlike("$out$err", qr/\Q${\ substr $secret, 6 }\E|\Q${\ substr $other, 6 }\E/, 'no secret');
}

my $raw_key = Digest::SHA::hmac_sha256_base64("msg_1.1700000000.$sample", $secret) . '=';
my $raw_part = Digest::SHA::hmac_sha256_base64("msg_1.1700000000.$sample", substr $secret, 6) . '=';
my $alone = Digest::SHA::hmac_sha256_base64($sample, decode_base64(substr $secret, 6)) . '=';
my $hex = Digest::SHA::hmac_sha256_hex("msg_1.1700000000.$sample", decode_base64(substr $secret, 6));
my $right = CodatSend::sign($secret, 'msg_1', 1700000000, $sample);

verifies('good', 0, qr/^ok    signature 1   v1, 32 bytes, matches secret 1\nthe request verifies\n\z/m);
verifies('svix', 0, qr/verifies/, undef, family => 'svix');
verifies('second secret', 0, qr/matches secret 2/, [ '--secret', $other, '--secret', $secret ]);
verifies('second signature', 0, qr/signature 1 .*matches no.*signature 2 .*unknown.*signature 3 .*matches secret/s,
         undef, signature => "v1,$alone v9,AAAA $right");
verifies('secret file', 0, qr/matches secret 1/, [ '--secret', "file:$file" ]);
verifies('pasted version', 0, qr/pasted in front/, [ '--secret', "v1,$secret" ]);
verifies('missing padding', 0, qr/padding/, [ '--secret', $other =~ s/=+$//r ], secret => $other);
verifies('other secret', 1, qr/matches no secret.*another endpoint/s, [ '--secret', $other ]);
verifies('not base64', 1, qr/FAIL  secret 1 +is not base64/, [ '--secret', "$secret!" ]);
verifies('incomplete secret', 1, qr/FAIL  secret 1 .*a part must be missing/, [ '--secret', "${secret}x" ]);
verifies('old', 1, qr/FAIL  timestamp +310 s old, the limit is 300 s.*clock/, [ '--secret', $secret,
         '--now', 1700000310 ]);
verifies('at the limit', 0, qr/300 s old/, [ '--secret', $secret, '--now', 1700000300 ]);
verifies('in the future', 1, qr/400 s in the future/, [ '--secret', $secret, '--now', 1699999600 ]);
verifies('tolerance', 0, qr/the limit is 500 s/, [ '--secret', $secret, '--now', 1700000310,
         '--tolerance', 500 ]);
verifies('milliseconds', 1, qr/FAIL  timestamp +looks like milliseconds/, undef, time => '1700000000000');
for my $odd ([ 'hello', 'not a number' ], [ '-5', 'negative' ], [ '1700000000.5', 'fraction' ],
             [ '2023-11-14T22:13:20Z', 'date' ]) {
    verifies("timestamp $odd->[0]", 1, qr/FAIL  timestamp .*$odd->[1]/, undef, time => $odd->[0]);
}
verifies('no timestamp', 1, qr/FAIL  headers +webhook-timestamp \(or svix-timestamp\) is missing/, undef,
         shown_time => 'X-Y: z');
verifies('empty timestamp', 1, qr/timestamp \(or svix-timestamp\) is empty/, undef,
         shown_time => 'webhook-timestamp: ');
verifies('mixed families', 0, qr/two families are mixed/, undef, shown_time => 'svix-timestamp: 1700000000');
verifies('both families differ', 1, qr/differ.*with the values of the svix/s, undef,
         shown_time => "webhook-timestamp: 1700000001\r\nsvix-timestamp: 1700000000");
verifies('secret as text', 1, qr/with the text of the secret as key/, undef, signature => "v1,$raw_key");
verifies('secret as text without prefix', 1, qr/with the text of the secret as key/, undef,
         signature => "v1,$raw_part");
verifies('body alone', 1, qr/without id and timestamp/, undef, signature => "v1,$alone");
verifies('hex', 1, qr/in hex instead of base64/, undef, signature => "v1,$hex");
verifies('no version', 1, qr/no comma.*without "v1,"/s, undef, signature => $right =~ s/v1,//r);
verifies('short signature', 1, qr/3 bytes instead of 32/, undef, signature => 'v1,QUJD');
verifies('version not ours', 1, qr/no secret fits the version/, undef, signature => 'v1a,' . 'A' x 86 . '==');
verifies('newline added', 1, qr/over the body without the newline at its end/, undef, body => "$sample\n");
verifies('newline lost', 1, qr/over the body with a newline at its end/, undef, signed => "$sample\n");
verifies('CRLF', 1, qr/LF instead of CRLF/, undef, signed => "{\n}", body => "{\r\n}");
verifies('LF', 1, qr/CRLF instead of LF/, undef, signed => "{\r\n}", body => "{\n}");
verifies('pretty-printed', 1, qr/written compact \(it was parsed/, undef,
         body => JSON::PP->new->pretty->canonical->encode(decode_json('{"a":[{},"b , : c"]}')),
         signed => '{"a":[{},"b , : c"]}');
verifies('blanks lost', 1, qr/a blank after , and :/, undef, signed => '{"b": 1, "a": 2}', body => '{"b":1,"a":2}');
verifies('length', 1, qr/Content-Length says 50.*cut to Content-Length/s, undef, body => "$sample trailing",
         more => [ 'Content-Length: 50' ]);
verifies('chunked', 0, qr/verifies/, undef, body => "5\r\n" . substr($sample, 0, 5) . "\r\n2d\r\n"
         . substr($sample, 5) . "\r\n0\r\n\r\n", more => [ 'Transfer-Encoding: chunked' ]);
SKIP: {
    skip 'openssl cannot sign with Ed25519', 9 unless $have_ed25519;
    my %v = (signature => $vectors[2][4], time => 1614265330, body => $body);
    my $public = 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=';
    my $made = CodatSend::sign($vectors[2][0], 'msg_1', 1700000000, $sample);
    verifies('Ed25519, public key', 0, qr/v1a, 64 bytes, matches/, [ '--secret', $public ], signature => $made);
    verifies('Ed25519, private key', 0, qr/v1a, 64 bytes, matches/, [ '--secret', $vectors[2][0] ],
             signature => $made);
    verifies('Ed25519, newline added', 1, qr/without the newline/, [ '--secret', $public ],
             signature => $made, body => "$sample\n");
}
my $heads = spew('heads', "Webhook-Id: msg_1\nWEBHOOK-TIMESTAMP: 1700000000\nwebhook-signature:\n $right\n");
($code, $out) = run('--verify', @now, '--secret', $secret, '--headers', $heads, '--body', spew('b', $sample));
is($code, 0, '--headers and --body, names in any case, a folded line');
($code, $out) = run({ exec => 1, stdin => capture() }, '--verify', @now, '--secret', $secret);
is($code, 0, 'a capture from the standard input');

# what is sent verifies
(undef, undef, undef, @requests) = sent('--secret', $secret, '--chunked', '--all', '--generation', 'current',
    '--quiet', "$base/");
my $all_good = grep {
    my @headers = map { /^([^:]+): (.*)\r$/ ? [ $1, $2 ] : () } split /\n/, $_->{head};
    (CodatSend::verify(secrets => [ $other, $secret ], headers => \@headers, body => $_->{body}))[0];
} @requests;
is($all_good, 69, 'all that is sent verifies');

done_testing();
