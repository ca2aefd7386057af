package CodatTest::Api;

# Codat's API, played by one process of its own, for tests of codat_track and
# for the demo: pushes that become final later, with a webhook.
#
#     my $api = CodatTest::Api->new(webhook => 'http://127.0.0.1:1234/hook',
#                                   secret => $secret);
#     ... proxy_pass http://@{[$api->address]}/; ...
#     $api->finish($key, 'Failed');     # now, and the webhook is on its way
#     my @requests = $api->requests;    # { n, connection, method, uri,
#                                       #   headers => [[name, value], ...],
#                                       #   body }, as CodatTest::Upstream has
#     $api->set(after => 0.5);          # any option of new(), from now on
#
# Options, all of which a request may also say for itself in a header,
# "X-Mock: final=Failed; after=0.2":
#
#     final => 'Success'      what a push becomes: Success, Failed, TimedOut
#     after => 'never'        when, in seconds from the answer; below 0: the
#                             webhook is sent, and answered, that long before
#                             the answer; 'now': the answer says it, and there
#                             is no webhook; 'never': by finish() alone
#     silent => 0             1: it becomes final, but no webhook is sent
#     copies => 1             of the webhook, with the same id
#     generation => 'current' of the webhook: or 'legacy'
#     key => UUID             of the push: any text
#     record => ID            that it makes
#     delay => 0              before the answer
#     status => N             an error of Codat's with this status
#     pad => 0                that many bytes more in "data" of the answer
#     pretty => 0             1: the answer has white space
#     text => TEXT            (new, set) the whole body of every answer
#     type => MIME            of the answer, application/json; charset=utf-8
#     chunked => 0            N: the answer in chunks of N bytes
#     pause => 0              seconds between these
#     gzip => 0               1: compressed if the request accepts it, 2: always
#     encoding => NAME        what Content-Encoding says of a body as it is
#     nolength => 0           1: neither length nor chunks, the end is the end
#     cut => 0                N: the connection is closed after N bytes
#
# and of new() and set() alone:
#
#     webhook => URL          http; none: nothing is sent
#     secret => 'whsec_...'   signs webhooks; or authorization => 'Bearer ...'
#     limited => 0            1: every request is answered 429
#     bodies => { TEXT => MOCK }  options of requests whose body has TEXT
#     apikey => TEXT          demanded as "Authorization: Basic TEXT", else 401
#
# Requests for it: POST, PUT, DELETE .../companies/ID/connections/ID/push/TYPE
# and what follows, GET .../companies/ID/push[/KEY], GET and POST .../companies,
# GET .../companies/ID; the rest is 404.  A prefix of the path does not matter.
# Webhooks that are not answered 2xx are sent again, after 0.5 s, 1 s, 2 s ...
#
# On the command line, "perl -It/lib -MCodatTest::Api -e CodatTest::Api::main
# port=8090 webhook=http://127.0.0.1:8080/webhooks/codat after=3" runs it in
# the foreground.  /_mock/requests, /_mock/reset, /_mock/set (a JSON object) and
# /_mock/finish/KEY?status=Failed are what the methods above use.

use strict;
use warnings;

use Errno qw(EAGAIN EINTR EINPROGRESS EWOULDBLOCK);
use IO::Select ();
use IO::Socket::INET ();
use JSON::PP ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);

use CodatTest ();

my $json = JSON::PP->new->utf8->allow_nonref->canonical;
my %live;

my %default = (
    final => 'Success', after => 'never', silent => 0, copies => 1,
    generation => 'current', delay => 0, pad => 0, pretty => 0,
    type => 'application/json; charset=utf-8', chunked => 0, pause => 0,
    gzip => 0, encoding => undef, nolength => 0, cut => 0, limited => 0,
);


sub new {
    my ($class, %opt) = @_;

    my $self = bless { options => { %default, %opt }, owner => $$ }, $class;

    $self->_listen($opt{port} // 0);

    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        setpgrp(0, 0);
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        $SIG{PIPE} = 'IGNORE';
        for my $fd (map { m{/(\d+)$} } glob('/proc/self/fd/*')) {
            POSIX::close($fd) if $fd > 2 && $fd != fileno($self->{listen});
        }
        eval { $self->_loop };
        print STDERR "api: $@" if $@;
        POSIX::_exit(0);
    }

    POSIX::close(fileno($self->{listen}));
    delete $self->{listen};
    $self->{pid} = $pid;
    $live{$pid} = $$;

    return $self;
}


sub main {
    my %opt = map { split(/=/, $_, 2) } @ARGV;
    my $self = bless { options => { %default, %opt }, owner => getppid() },
        __PACKAGE__;

    $SIG{PIPE} = 'IGNORE';
    $self->_listen($opt{port} // 0);
    $| = 1;
    print "listening on 127.0.0.1:$self->{port}\n";
    $self->_loop;
}


sub port { $_[0]{port} }
sub address { "127.0.0.1:$_[0]{port}" }


sub requests {
    my $self = shift;

    return map { bless $_, 'CodatTest::Request' }
        @{$self->_control('GET', '/_mock/requests')};
}


# wait_requests($n, $timeout = 5)

sub wait_requests {
    my ($self, $n, $timeout) = @_;

    my $until = time + ($timeout // 5);
    while (1) {
        my @requests = $self->requests;
        return @requests if @requests >= $n || time > $until;
        sleep(0.01);
    }
}


sub reset { $_[0]->_control('POST', '/_mock/reset') }

sub set {
    my ($self, %opt) = @_;

    return $self->_control('POST', '/_mock/set', $json->encode(\%opt));
}


# finish($key, $status = final): true if there is such a push

sub finish {
    my ($self, $key, $status) = @_;

    return $self->_control('POST', "/_mock/finish/$key"
                           . ($status ? "?status=$status" : ''));
}


sub stop {
    my $self = shift;

    my $pid = delete $self->{pid} or return;
    kill('KILL', $pid);
    local $?;
    waitpid($pid, 0);
    delete $live{$pid};
}


sub _control {
    my ($self, $method, $uri, $body) = @_;

    my $client = CodatTest::Client->new(port => $self->{port});
    my $response = $client->request($method, $uri, {}, $body // '',
                                    close => 1)
        // die 'api: ', $client->error, "\n";

    return $json->decode($response->body);
}


sub DESTROY {
    my $self = shift;

    local ($?, $@);
    $self->stop if $self->{pid} && $self->{owner} == $$;
}


END {
    kill('KILL', $_) for grep { $live{$_} == $$ } keys %live;
}


# the server: everything below runs in its process

sub _listen {
    my ($self, $port) = @_;

    $self->{listen} = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Listen => 511, ReuseAddr => 1)
        or die "api: $@\n";
    $self->{port} = $self->{listen}->sockport;
}


sub _loop {
    my $self = shift;

    @$self{qw(peers timers pushes order requests n connections)}
        = ({}, [], {}, [], [], 0, 0);

    my $listen = $self->{listen};
    $listen->blocking(0);

    while (1) {
        return if !kill(0, $self->{owner});

        my ($read, $write) = ('', '');
        vec($read, fileno($listen), 1) = 1;
        for my $peer (values %{$self->{peers}}) {
            vec($read, $peer->{fd}, 1) = 1 unless $peer->{connecting};
            vec($write, $peer->{fd}, 1) = 1 if length $peer->{out};
        }

        my $wait = 1;
        if (@{$self->{timers}}) {
            my $left = $self->{timers}[0]{at} - time;
            $wait = $left < 0 ? 0 : $left < 1 ? $left : 1;
        }

        my $n = select($read, $write, undef, $wait);
        $self->_run_timers;
        next unless $n > 0;

        $self->_accept if vec($read, fileno($listen), 1);

        for my $peer (values %{$self->{peers}}) {
            $self->_write($peer) if vec($write, $peer->{fd}, 1);
            $self->_read($peer)
                if !$peer->{gone} && vec($read, $peer->{fd}, 1);
        }
    }
}


sub _later {
    my ($self, $seconds, $do) = @_;

    my $at = time + $seconds;
    my $timers = $self->{timers};
    my $i = @$timers;
    $i-- while $i && $timers->[$i - 1]{at} > $at;
    splice(@$timers, $i, 0, { at => $at, do => $do });
}


sub _run_timers {
    my $self = shift;

    while (@{$self->{timers}} && $self->{timers}[0]{at} <= time) {
        shift(@{$self->{timers}})->{do}->();
    }
}


sub _accept {
    my $self = shift;

    while (my $socket = $self->{listen}->accept) {
        $socket->blocking(0);
        $socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);
        $self->_peer($socket, number => ++$self->{connections});
    }
}


sub _peer {
    my ($self, $socket, %more) = @_;

    my $peer = { socket => $socket, fd => fileno($socket), in => '',
                 out => '', %more };

    return $self->{peers}{$peer->{fd}} = $peer;
}


sub _drop {
    my ($self, $peer) = @_;

    return if $peer->{gone}++;
    delete $self->{peers}{$peer->{fd}};
    close($peer->{socket});
    $peer->{ended}->($peer) if $peer->{ended};
}


sub _write {
    my ($self, $peer) = @_;

    $peer->{connecting} = 0;
    my $n = syswrite($peer->{socket}, $peer->{out});

    if (defined $n) {
        substr($peer->{out}, 0, $n, '');
        $self->_drop($peer) if !length $peer->{out} && $peer->{closing};

    } elsif (!$!{EAGAIN} && !$!{EINTR}) {
        $self->_drop($peer);
    }
}


sub _read {
    my ($self, $peer) = @_;

    my $n = sysread($peer->{socket}, $peer->{in}, 262144,
                    length $peer->{in});

    return if !defined $n && ($!{EAGAIN} || $!{EINTR});
    return $self->_drop($peer) unless $n;

    $self->_take($peer) unless $peer->{ended} || $peer->{busy};
}


# a request, once it is complete; one at a time on a connection

sub _take {
    my ($self, $peer) = @_;

    my $end = index($peer->{in}, "\r\n\r\n");
    return if $end < 0;

    my ($first, @lines) = split(/\r\n/, substr($peer->{in}, 0, $end));
    my ($method, $uri, $version) = split(' ', $first);
    my @headers = map { [split(/:[ \t]*/, $_, 2)] } @lines;
    my %last = map { lc $_->[0] => $_->[1] } @headers;
    my ($body, $length) = ('', $end + 4);

    if (lc($last{'transfer-encoding'} // '') eq 'chunked') {
        while (1) {
            return unless substr($peer->{in}, $length, 20)
                =~ /^([0-9a-fA-F]+)\r\n/;
            my $size = hex $1;
            $length += length($1) + 2;
            return if length $peer->{in} < $length + $size + 2;
            $body .= substr($peer->{in}, $length, $size);
            $length += $size + 2;
            last unless $size;
        }

    } elsif ($last{'content-length'}) {
        return if length $peer->{in} < $length + $last{'content-length'};
        $body = substr($peer->{in}, $length, $last{'content-length'});
        $length += $last{'content-length'};
    }

    substr($peer->{in}, 0, $length, '');

    my $connection = lc($last{connection} // '');
    my $request = {
        connection => $peer->{number}, method => $method, uri => $uri,
        version => $version, headers => \@headers, body => $body,
    };

    $peer->{busy} = 1;
    $peer->{keep} = $version eq 'HTTP/1.1' ? $connection ne 'close'
                                           : $connection eq 'keep-alive';
    $peer->{head} = $method eq 'HEAD';
    $peer->{version} = $version;

    return $self->_mock($peer, $method, $1, $body)
        if $uri =~ m{^/_mock/(.*)};

    push @{$self->{requests}}, { %$request, n => ++$self->{n},
                                 time => time };

    my %opt = %{$self->{options}};
    my $bodies = delete $opt{bodies} // {};
    for my $mock ((map { $bodies->{$_} } grep { index($body, $_) >= 0 }
                   sort keys %$bodies), $last{'x-mock'} // ())
    {
        %opt = (%opt, map { /^\s*(\w+)=(.*?)\s*$/ ? ($1 => $2) : () }
                split(/;/, $mock));
    }
    $opt{accepts} = ($last{'accept-encoding'} // '') =~ /\bgzip\b/;

    my ($status, $text, $push) = $self->_answer($request, \%opt, \%last);
    $text = $opt{text} if defined $opt{text};

    my $send = sub { $self->_send($peer, $status, $text, \%opt, $push) };

    if ($push && $opt{after} =~ /^-/) {
        $self->_finish($push, $opt{final}, sub {
            $self->_later(-$opt{after}, $send) });

    } elsif ($opt{delay}) {
        $self->_later($opt{delay}, $send);

    } else {
        $send->();
    }
}


sub _mock {
    my ($self, $peer, $method, $what, $body) = @_;

    my $answer = $json->true;

    if ($what eq 'requests') {
        $answer = $self->{requests};

    } elsif ($what eq 'reset') {
        $self->{requests} = [];

    } elsif ($what eq 'set') {
        $self->{options} = { %{$self->{options}}, %{$json->decode($body)} };

    } elsif ($what =~ m{^finish/([^?]+)(?:\?status=(\w+))?}) {
        my $push = $self->{pushes}{$1};
        $self->_finish($push, $2 // $push->{opt}{final}) if $push;
        $answer = $json->false unless $push;
    }

    $self->_send($peer, 200, $json->encode($answer), \%default);
}


# what the API says: status, body, and a push that has just been made

sub _answer {
    my ($self, $request, $opt, $headers) = @_;

    my ($path) = $request->{uri} =~ /^([^?]*)/;
    my $method = $request->{method};

    return _error(401, 'Unauthorized') if defined $opt->{apikey}
        && ($headers->{authorization} // '') ne "Basic $opt->{apikey}";
    return _error(429, 'You have reached your maximum number of requests')
        if $opt->{limited};
    return _error($opt->{status}, 'An error has occurred')
        if $opt->{status};

    if ($method =~ /^(?:POST|PUT|DELETE|PATCH)$/
        && $path =~ m{/companies/([^/]+)/connections/([^/]+)/push/([^/]+)
                      (.*)$}x)
    {
        my $push = $self->_push($request, $opt, $1, $2, $3, $4);
        return (200, _operation($push), $push);
    }

    if ($method eq 'GET' && $path =~ m{/companies/([^/]+)/push$}) {
        my $company = $1;
        my @all = map { _operation($_) }
            grep { $_->{company} eq $company }
            map { $self->{pushes}{$_} } @{$self->{order}};
        my $total = @all;
        my $size = $request->{uri} =~ /\bpageSize=(\d+)/ ? $1 : 100;
        my $page = $request->{uri} =~ /\bpage=(\d+)/ ? $1 : 1;
        @all = splice(@all, ($page - 1) * $size, $size)
            if ($page - 1) * $size < @all;
        return (200, '{"results":[' . join(',', @all) . '],"pageNumber":'
            . "$page,\"pageSize\":$size,\"totalResults\":$total,"
            . qq("_links":{"current":{"href":"$path"},)
            . qq("self":{"href":"$path"}}}));
    }

    if ($method =~ /^(?:GET|HEAD)$/
        && $path =~ m{/companies/([^/]+)/push/([^/]+)$})
    {
        my $push = $self->{pushes}{$2};
        return _error(404, 'Push operation not found')
            unless $push && $push->{company} eq $1;
        return (200, _operation($push));
    }

    if ($method ne 'DELETE' && $path =~ m{/companies(?:/([^/]+))?$}) {
        my $company = sprintf('{"id":"%s","name":"A company","platform":"",'
            . '"redirect":"https://link.codat.io/company/x","dataConnections"'
            . ':[],"created":"%s"}', $1 // CodatTest::uuid(), _now());
        return (200, $1 || $method eq 'POST' ? $company
            : "{\"results\":[$company],\"pageNumber\":1,\"pageSize\":100,"
            . '"totalResults":1,"_links":{"current":{"href":"/companies"},'
            . '"self":{"href":"/companies"}}}');
    }

    return _error(404, 'Not found');
}


sub _error {
    my ($status, $text) = @_;

    return ($status, qq({"statusCode":$status,"service":"PublicApi",)
        . qq("error":"$text","correlationId":"@{[CodatTest::uuid()]}",)
        . '"validation":null,"canBeRetried":"Unknown",'
        . '"detailedErrorCode":0}');
}


sub _push {
    my ($self, $request, $opt, @path) = @_;

    my ($company, $connection, $type, $rest) = @path;
    my $attachment = $rest =~ m{/attachments?$};
    $type = 'chartOfAccounts' if $type eq 'accounts';
    my %kind = (POST => 'Create', PUT => 'Update', DELETE => 'Delete',
                PATCH => 'Update');

    my $push = {
        key => $opt->{key} // CodatTest::uuid(), company => $company,
        connection => $connection, type => $type, status => 'Pending',
        kind => $attachment ? 'UploadAttachment' : $kind{$request->{method}},
        requested => _now(), opt => $opt,
        record => $rest =~ m{^/([^/]+)} ? $1
                  : $opt->{record} // CodatTest::uuid(),
        data => $attachment || $request->{body} !~ /^\s*\{.*\}\s*\z/s ? 'null'
            : $request->{body},
        attachment => $attachment ? CodatTest::uuid() : undef,
    };

    push @{$self->{order}}, $push->{key} unless $self->{pushes}{$push->{key}};
    $self->{pushes}{$push->{key}} = $push;

    if ($opt->{after} eq 'now') {
        @$push{qw(status completed)} = ($opt->{final}, _now());
    }

    if ($opt->{pad}) {
        my $pad = '"memo":"' . 'x' x $opt->{pad} . '"';
        $push->{data} = "{$pad}"
            unless $push->{data} =~ s/^\s*\{(\s*\})?/
                                      "{$pad" . ($1 ? '}' : ',')/ex;
    }

    return $push;
}


# a PushOperation, in the order in which Codat writes it

sub _operation {
    my $push = shift;

    my $done = $push->{status} eq 'Success';
    my %change = (Create => 'Created', Update => 'Modified',
                  Delete => 'Deleted',
                  UploadAttachment => 'AttachmentUploaded');
    my $data = $push->{data};

    # the record that the accounting platform has made of it
    $data =~ s/^\s*\{(\s*\})?/qq({"id":"$push->{record}")
                              . ($1 ? '}' : ',')/ex if $done;

    my @members = (
        changes => $done ? qq([{"type":"$change{$push->{kind}}","recordRef":)
            . qq({"id":"$push->{record}","dataType":"$push->{type}"})
            . ($push->{attachment}
               ? qq(,"attachmentId":"$push->{attachment}") : '') . '}]'
            : '[]',
        data => $data,
        dataType => "\"$push->{type}\"",
        companyId => "\"$push->{company}\"",
        pushOperationKey => "\"$push->{key}\"",
        dataConnectionKey => "\"$push->{connection}\"",
        requestedOnUtc => "\"$push->{requested}\"",
        $push->{completed} ? (completedOnUtc => "\"$push->{completed}\"")
            : (),
        status => "\"$push->{status}\"",
        $push->{status} eq 'Failed'
            ? (errorMessage => '"The record was refused"') : (),
        validation => $push->{status} eq 'Failed'
            ? '{"errors":[{"itemId":"amount","message":"too much",'
            . '"validatorName":"Amount"}],"warnings":[]}'
            : '{"errors":[],"warnings":[]}',
        statusCode => { Pending => 202, Success => 200, Failed => 400,
                        TimedOut => 408 }->{$push->{status}} // 500,
    );

    my ($start, $colon, $comma, $end) = $push->{opt}{pretty}
        ? ("{\n  ", ' : ', " ,\n  ", "\n}\n") : ('{', ':', ',', '}');
    my @pairs;
    while (my ($name, $value) = splice(@members, 0, 2)) {
        push @pairs, "\"$name\"$colon$value";
    }

    return $start . join($comma, @pairs) . $end;
}


# the push is final; "then" is called once its webhook has been answered, at
# least once

sub _finish {
    my ($self, $push, $status, $then) = @_;

    my $opt = $push->{opt};

    @$push{qw(status completed)} = ($status, _now());

    my $url = $self->{options}{webhook};
    return $then && $then->() if !$url || $opt->{silent};

    my %opt = (
        push_key => $push->{key}, company => $push->{company},
        connection => $push->{connection}, status => $status,
        $opt->{generation} eq 'legacy' ? (data_type => $push->{type})
            : (type => $push->{kind}, requested => $push->{requested},
               completed => $push->{completed},
               record => $push->{record}),
    );
    my $event = $opt->{generation} eq 'legacy' ? 'PushOperationStatusChanged'
        : "$push->{type}.write."
          . ($status eq 'Success' ? 'successful' : 'unsuccessful');

    my $body = $self->_body($event, $opt->{generation}, %opt);
    my $id = 'msg_' . (CodatTest::uuid() =~ s/-//gr);

    for my $copy (1 .. $opt->{copies}) {
        $self->_webhook($url, $id, $body, 0, $copy == 1 ? $then : undef);
    }
}


# what tools/codat-send makes, with the ids and times of this push

sub _body {
    my ($self, $event, $generation, %opt) = @_;

    my $body = $json->decode(CodatTest::body($event,
        generation => $generation, company => $opt{company},
        connection => $opt{connection}, push_key => $opt{push_key},
        status => $opt{status},
        $opt{data_type} ? (data_type => $opt{data_type}) : ()));

    if ($generation ne 'legacy') {
        my $payload = $body->{payload};
        $payload->{type} = $opt{type};
        $payload->{requestedOnDate} = $opt{requested};
        $payload->{completedOnDate} = $opt{completed};
        $body->{generatedDate} = $opt{completed};
        delete $payload->{record};
        $payload->{record} = { id => $opt{record} }
            if $opt{status} eq 'Success';
    }

    return $json->encode($body);
}


sub _webhook {
    my ($self, $url, $id, $body, $try, $then) = @_;

    my ($host, $port, $path) = $url =~ m{^http://([\w.-]+):(\d+)(/.*)$}
        or die "api: not a URL that I can send to: $url\n";

    my $headers = $self->{options}{authorization}
        ? "Authorization: $self->{options}{authorization}\n" : '';
    $headers .= $self->{options}{secret}
        ? CodatTest::signed_headers($self->{options}{secret}, $body,
                                    id => $id)
        : "webhook-id: $id\n";
    $headers =~ s/\n/\r\n/g;

    my $again = sub {
        return if $try >= 6;
        $self->_later(0.5 * 2 ** $try, sub {
            $self->_webhook($url, $id, $body, $try + 1) });
    };

    my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port,
                                       Blocking => 0);
    if (!$socket) {
        $then->() if $then;
        return $again->();
    }

    $self->_peer($socket, connecting => 1, ended => sub {
        my $peer = shift;
        $then->() if $then;
        $again->() unless $peer->{in} =~ m{^HTTP/1\.1 2};
    })->{out} = "POST $path HTTP/1.1\r\nHost: $host\r\n"
        . "Content-Type: application/json\r\nConnection: close\r\n$headers"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
}


sub _send {
    my ($self, $peer, $status, $text, $opt, $push) = @_;

    my $keep = $peer->{keep} && !$opt->{nolength} && !$opt->{cut};
    my @headers = ("Content-Type: $opt->{type}");

    if ($opt->{gzip} && ($opt->{accepts} || $opt->{gzip} > 1)) {
        require IO::Compress::Gzip;
        my $plain = $text;
        IO::Compress::Gzip::gzip(\$plain => \$text);
        push @headers, 'Content-Encoding: gzip';

    } elsif ($opt->{encoding}) {
        push @headers, "Content-Encoding: $opt->{encoding}";
    }

    my $chunked = $opt->{chunked} && $peer->{version} ne 'HTTP/1.0';
    push @headers, $chunked ? 'Transfer-Encoding: chunked'
        : $opt->{nolength} ? () : 'Content-Length: ' . length $text;
    push @headers, 'X-Request-Id: ' . CodatTest::uuid();
    push @headers, $keep ? () : 'Connection: close';

    my $reason = { 200 => 'OK', 404 => 'Not Found' }->{$status} // 'X';
    my $head = join("\r\n", "HTTP/1.1 $status $reason", @headers, '', '');
    my @pieces = $head;

    if ($peer->{head}) {
        # no body

    } elsif ($chunked) {
        push @pieces, map { sprintf("%x\r\n%s\r\n", length $_, $_) }
            unpack("(a$opt->{chunked})*", $text);
        push @pieces, "0\r\n\r\n";

    } else {
        $pieces[0] .= $text;
    }

    if ($opt->{cut}) {
        @pieces = substr(join('', @pieces), 0, length($head) + $opt->{cut});
    }

    # this much after the answer has begun

    if ($push && $push->{status} eq 'Pending'
        && $opt->{after} =~ /^[\d.]+$/)
    {
        $self->_later($opt->{after}, sub {
            $self->_finish($push, $opt->{final}) });
    }

    $self->_send_pieces($peer, $keep, $opt->{pause}, @pieces);
}


sub _send_pieces {
    my ($self, $peer, $keep, $pause, @pieces) = @_;

    return if $peer->{gone};

    if ($pause && @pieces > 1) {
        $peer->{out} .= shift @pieces;
        $self->_later($pause, sub {
            $self->_send_pieces($peer, $keep, $pause, @pieces) });
        return $self->_write($peer);
    }

    $peer->{out} .= join('', @pieces);
    $peer->{closing} = !$keep;
    $peer->{busy} = 0;
    $self->_write($peer);

    $self->_take($peer) if !$peer->{gone} && length $peer->{in};
}


sub _now {
    my $time = time;

    return POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime int $time)
        . sprintf('.%06d0Z', ($time - int $time) * 1_000_000);
}


1;
