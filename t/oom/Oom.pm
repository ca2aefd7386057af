package Oom;

# Sweeps over the allocations of a request: the first fails, then the second,
# and so on, until the request has ended before it came to the n-th.
#
# It needs an nginx of t/oom/build.  After each run the worker has to be the
# one of before, without more memory in use, and what the run has done to the
# tables and to the application is looked at, see "webhook" below.

use strict;
use warnings;

use CodatTest;
use IO::Select ();
use IO::Socket::INET ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);

our $secret = new_secret();

# what nginx itself does wrong when an allocation fails, by its functions
my %core = (
    # the parent is left waiting for a subrequest that was half made
    'a subrequest of SSI'
        => qr/^ngx_http_subrequest \S+\nngx_http_ssi_include /m,
    # a frame is queued, then the request is ended without the memory that
    # tells the frame's end: the stream stays open
    'the headers of HTTP/2'
        => qr/^ngx_http_cleanup_add \S+\nngx_http_v2_header_filter /m,
);

my $json = JSON::PP->new->utf8->canonical;
my $most = 5;               # problems of a sweep that are shown
my $sqlite = 2e6;           # bytes of SQLite's, without pages: a database that
                            # is open has some 300 kB


# new(http => '', server => '', listen => ..., zone => 'zone=codat:1m')

sub new {
    my ($class, %opt) = @_;

    my $self = bless { app => _app(), made => 0 }, $class;

    $self->{nginx} = CodatTest::Nginx->new(
        level => $ENV{OOM_LEVEL} || 'notice', timeout => 30,
        listen => $opt{listen} // '127.0.0.1:{{port}}',
        conf => {
            http => "
                codat_zone @{[$opt{zone} // 'zone=codat:1m']};
                codat_credential signature $secret;
                log_format codat '\$status \$codat_event_type '
                    '\$codat_result \$codat_push_key \$codat_tag_region';
                access_log logs/codat.log codat;
                lingering_close off;
                upstream app { server 127.0.0.1:$self->{app}{port}; }
                $opt{http}",
            server => "
                location = /oom { access_log off; oom; }
                location /codat/ { access_log off; codat_status zone=codat; }
                location /app/ { internal; proxy_pass http://app; }
                $opt{server}",
        })->start;

    $self->{pid} = $self->control->{pid};

    return $self;
}


sub nginx { $_[0]{nginx} }


# control($arguments): what the request before did, see ngx_http_oom_module

sub control {
    my ($self, $args) = @_;

    my $response = $self->_quick('GET', '/oom' . ($args ? "?$args" : ''));
    my ($text, $where) = split(/ where ?/, $response->body, 2);
    chomp $where;

    return { split(' ', $text), where => $where };
}


# request(...): on a connection of its own; the status, "closed" or "late",
# and the response

sub request {
    my ($self, $method, $uri, $headers, $body, %opt) = @_;

    my $client = $self->{nginx}->client(timeout => 10);
    my $response = $client->request($method, $uri, $headers, $body,
                                    close => 1, %opt);
    $self->{error} = $client->error // '';

    return $response->status, $response if $response;
    return $self->{error} =~ /timed out/ ? 'late' : 'closed';
}


# request2(...): the same over HTTP/2, to the port "port1"

sub request2 {
    my ($self, $method, $uri, $headers, $body) = @_;

    my $socket = IO::Socket::INET->new(
        PeerAddr => '127.0.0.1', PeerPort => $self->{nginx}->port(1))
        or die "connect: $@\n";

    # headers that are not indexed, their names not either
    my $block = join('', map {
        chr(0) . chr(length $_->[0]) . lc($_->[0])
            . (length $_->[1] < 127 ? chr(length $_->[1])
               : "\x7f" . chr(length($_->[1]) - 127)) . $_->[1]
    } [':method', $method], [':path', $uri], [':scheme', 'http'],
      [':authority', 'localhost'], @{$headers // []});
    my $frame = sub {
        my ($type, $flags, $stream, $text) = @_;
        return substr(pack('N', length $text), 1)
            . pack('CCN', $type, $flags, $stream) . $text;
    };

    local $SIG{PIPE} = 'IGNORE';
    syswrite($socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . $frame->(4, 0, 0, '')
        . $frame->(1, defined $body ? 4 : 5, 1, $block)
        . (defined $body ? $frame->(0, 1, 1, $body) : ''));

    my ($status, $said, $buffer) = ('closed', '', '');
    my $until = time + 10;

    while (1) {
        return 'late' unless IO::Select->new($socket)->can_read($until - time);
        sysread($socket, $buffer, 65536, length $buffer) or return 'closed';

        while (length $buffer >= 9) {
            my ($length, $type, $flags, $stream)
                = unpack('NCCN', "\0" . substr($buffer, 0, 9));
            last if length $buffer < 9 + $length;
            my $text = substr(substr($buffer, 0, 9 + $length, ''), 9);

            # of the static table, or its eighth name with a text
            $status = $text =~ /^[\x20-\x3f]*([\x88-\x8e])/
                ? (200, 204, 206, 304, 400, 404, 500)[ord($1) - 0x88]
                : $text =~ /^[\x20-\x3f]*\x48\x03(\d+)/ ? $1 : 'unknown'
                if $type == 1;
            $said .= $text if $type == 0;
            return 'closed' if $type == 3 || $type == 7;
            next unless $stream && $type < 2 && $flags & 1;

            close($socket);
            return $status,
                bless { status => $status, body => $said },
                    'CodatTest::Response';
        }
    }
}


# get($path): of the status API: (status, decoded body)

sub get {
    my ($self, $path) = @_;

    my $response = $self->_quick('GET', "/codat$path");

    return $response->status, eval { $response->json };
}


# sweep($title, sub { my ($arm, $problem) = @_; ... }, %opt): the sub does one
# run, with $arm in the header X-Oom of the request that is to suffer, and calls
# "answered"
#   once       not with all allocations behind it
#   fresh      each run in a new worker, which has made nothing yet

sub sweep {
    my ($self, $title, $run, %opt) = @_;

    # what is made once and kept
    $run->($self, undef, sub { diag("$title, not armed: $_[0]") })
        for 1 .. 2;
    $self->control;

    for my $lasting ('', $opt{once} ? () : '+') {
        my ($n, @problems);

        for ($n = 1; ; $n++) {
            $self->_renew if $opt{fresh};
            my $state = $self->_once($n, $lasting, $run, \@problems,
                                     $opt{fresh});
            last if !$state->{hit} || @problems > $most;
        }

        my $name = "$title: " . ($n - 1) . ' allocations'
            . ($lasting ? ', and all behind it' : '');
        ok(!@problems, $name);
        diag($_) for @problems;
    }
}


sub _renew {
    my $self = shift;

    delete $self->{client};
    (undef, $self->{pid}) = $self->{nginx}->kill_worker('TERM');
}


sub _once {
    my ($self, $n, $lasting, $run, $problems, $fresh) = @_;

    my ($state, $where, @found);

    # memory that is in use afterwards, each time anew, is a leak
    for my $try (1 .. 3) {
        my $before = $self->control->{bytes};

        @found = ();
        undef $self->{state};
        $run->($self, "$n$lasting", sub { push @found, @_ });
        $state = $self->{state} // $self->_judge;

        my $after = $self->control;
        push @found, "worker $self->{pid} has become $after->{pid}"
            if $after->{pid} != $self->{pid};
        $self->{pid} = $after->{pid};

        # a forward may go on behind the answer
        my $until = time + 1;
        while (!$fresh && $after->{bytes} > $before && time < $until) {
            sleep(0.02);
            $after = $self->control;
        }

        last if @found || $fresh || $after->{bytes} <= $before;
        push @found, 'bytes that are lost: ' . ($after->{bytes} - $before)
            if $try == 3;
    }

    return $state unless @found;

    $where = $self->_where($state);

    for my $name (sort keys %core) {
        next unless $where =~ $core{$name};
        note("$n$lasting: left to nginx: $name");
        $self->_renew;
        return $state;
    }

    push @$problems, map { "$n$lasting: $_\n$where" } @found;

    return $state;
}


# what the run has met; ends it

sub _judge {
    my $self = shift;

    return $self->{state} = $self->control;
}


# answered($problem, $arm, $status, @good): the state of the run, after a look
# at the answer: one of @good if no allocation failed, else also an error of
# ours, or none at all

sub answered {
    my ($self, $problem, $arm, $status, @good) = @_;

    my $state = $self->_judge;

    $problem->("answer: $status, expected: @good, allocations: "
               . "$state->{count}" . ($state->{armed} ? ', not ended' : ''))
        unless grep { $_ eq $status } @good,
            $state->{hit} ? qw(closed 500 502 503 504) : ();

    return $state;
}


# webhook($title, %opt): a sweep with a webhook.
#   uri             /hook
#   body            sub { ($push_key, $n) = @_; ... }   of a push's success
#   headers         sub { ($id, $body) = @_; ... }      signed ones
#   request         { chunked => 100, ... }
#   good            200
#   failed          a further status that may come when an allocation failed
#   no_row          it is not about a push
#   anew            two of them are never a duplicate
#   once            as above
#   forwards        ['/app/a', ...] each of which has to get it
#   optional        ['/app/b', ...] which may
#   send            instead of "request" above

sub webhook {
    my ($self, $title, %opt) = @_;

    $self->sweep($title, sub { $self->_webhook_run(\%opt, @_[1, 2]) },
                 once => $opt{once}, fresh => $opt{fresh});
}


sub _webhook_run {
    my ($self, $opt, $arm, $problem) = @_;

    my $number = ++$self->{made};
    my $push = uuid();
    my $id = "msg_$$\_$number";
    my $body = $opt->{body} ? $opt->{body}->($push, $number)
        : body('invoices.write.successful', push_key => $push,
               tags => { region => 'uk' });
    my @headers = map { [split(/: /, $_, 2)] } split(/\n/,
        $opt->{headers} ? $opt->{headers}->($id, $body)
                        : signed_headers($secret, $body, id => $id));
    my $good = $opt->{good} // 200;
    my $send = $opt->{send} // \&request;

    # the id at the application, of an event without webhook-id
    my ($known) = map { $_->[1] } grep { $_->[0] =~ /^(webhook|svix)-id$/ }
        @headers;
    $known //= ($body =~ /"(?:AlertId|id)"\s*:\s*"([^"]+)"/)[0];

    my $deliver = sub {
        return $send->($self, 'POST', $opt->{uri} // '/hook',
                       [@headers, $_[0] ? ['X-Oom', $_[0]] : ()], $body,
                       %{$opt->{request} // {}});
    };

    my ($status, $response) = $deliver->($arm);
    my $first = $status;
    my $state = $self->answered($problem, $arm, $status, $good,
                                $opt->{failed} && $arm ? $opt->{failed} : ());
    my $accepted = $status eq '200' ? 1 : 0;

    if ($accepted) {
        $self->_sent_right($opt, $known, 1, 1, $problem);
        $self->_row_right($opt, $push, $problem) unless $state->{cell};
    }

    # again: a duplicate of what was accepted, or now accepted
    my $until = time + 3;
    while (1) {
        ($status, $response) = $deliver->();
        last if $status ne '503' || time > $until
            || $response->json->{code} ne 'in_progress';
        if (!$opt->{forwards} && !$opt->{optional}) {
            $problem->('the message is still held');
            last;
        }
        sleep(0.02);
    }
    $problem->("answer to the second one: $status, after $first")
        if $status ne $good;

    if ($status eq '200') {
        my $result = $response->json->{result};
        $problem->("the second one is $result, after $first")
            if $accepted && $result ne 'duplicate' && !$state->{cell}
                && !$opt->{anew};
        $accepted++ if $result eq 'accepted';

        $self->_row_right($opt, $push, $problem) unless $state->{cell};
        $self->_sent_right($opt, $known, 1, $first eq '200' ? $accepted : 2,
                           $problem);
    }
}


# each forward got it at least and at most so often

sub _sent_right {
    my ($self, $opt, $id, $least, $most, $problem) = @_;

    my @forwards = @{$opt->{forwards} // []};
    my @optional = @{$opt->{optional} // []};
    return unless @forwards || @optional;

    my $count = $self->sent($id);

    for my $uri (@forwards, @optional) {
        my $n = $count->{$uri} // 0;
        my $wanted = (grep { $_ eq $uri } @forwards) ? $least : 0;
        $problem->("$uri got it $n times, expected $wanted to $most")
            if $n < $wanted || $n > $most;
    }
}


sub _row_right {
    my ($self, $opt, $push, $problem) = @_;

    return if $opt->{no_row};

    my ($status, $row) = $self->get("/pushes/$push");
    $problem->("the push is not known: $status"), return if $status ne '200';
    $problem->("the push is $row->{status}")
        if $row->{status} ne ($opt->{row} // 'Success');
}


# sent($id): how often each URI of the application got a message

sub sent {
    my ($self, $id) = @_;

    my $app = $self->{app};
    $app->{client} //= CodatTest::Client->new(port => $app->{port});

    return $app->{client}->request('GET', "/count/$id")->json;
}


# status($title, $method, $uri, %opt): a sweep with a request that changes
# nothing: what is answered is what was answered without a failure
#   headers, body, good     200
#   same       sub that makes bodies equal which differ in what may differ
#   or         qr/.../      another body that may come
#   failed     another status that may come when an allocation failed

sub status {
    my ($self, $title, $method, $uri, %opt) = @_;

    my $same = $opt{same} // sub { $_[0] };
    my $good = $opt{good} // 200;
    my $normal;

    $self->sweep($title, sub {
        my (undef, $arm, $problem) = @_;

        my ($status, $response) = $self->request($method, $uri,
            [@{$opt{headers} // []}, $arm ? ['X-Oom', $arm] : ()],
            $opt{body}, %{$opt{request} // {}});
        my $state = $self->answered($problem, $arm, $status, $good,
                                $arm && $opt{failed} ? $opt{failed} : ());

        return if $status ne $good;
        my $got = $same->($response->body);
        $normal //= $got;
        $problem->('body: ' . substr($got, 0, 300))
            if $got ne $normal && !($opt{or} && $got =~ $opt{or});
    });
}


# end(): nothing is left over

sub end {
    my $self = shift;

    my ($status, $metrics) = $self->request('GET', '/codat/metrics');
    is($status, 200, 'metrics');
    is(($metrics->body =~ /^codat_waiters\S* (\d+)/m)[0], 0, 'no waiters');
    my ($repairs) = $metrics->body =~ /^codat_zone_repairs_total\S* (\d+)/m;
    is($repairs // 0, 0, 'the zone was never found in disorder');

    my $bytes = $self->control->{sqlite};
    cmp_ok($bytes, '<', $sqlite, "SQLite has kept nothing: $bytes bytes");

    delete $self->{client};
    ok($self->{nginx}->stop, 'nginx ends');
    no_bad_log($self->{nginx}->error_log(all => 1) . $self->{nginx}->stderr,
               except => qr/ malloc\(\d+\)\ failed
                             | posix_memalign\(\d+,\ \d+\)\ failed
                             | \ codat:\ [\w() -]+\ failed\ (?:error:|,)
                             | \ codat:\ store\ .*\ failed:\ out\ of\ memory
                             /x);
    kill('TERM', $self->{app}{pid});
    local $?;
    waitpid($self->{app}{pid}, 0);
}


# on the connection that is kept for what is not armed

sub _quick {
    my ($self, @request) = @_;

    for my $try (1 .. 3) {
        my $client = $self->{client} //= eval {
            $self->{nginx}->client(timeout => 15);
        } // next;
        my $response = $client->request(@request);
        return $response if $response;
        delete $self->{client};
        die "nginx does not answer: @request\n"
            if $client->error =~ /timed out/;
    }

    die "nginx is gone: @request\n";
}


# the call that failed, and who made it

sub _where {
    my ($self, $state) = @_;

    my @lines;

    for (split(' ', $state->{where} // '')) {
        my ($object, $offset) = /^(.*)\+(0x[0-9a-f]+)$/ or next;
        if ($object ne 'nginx') {
            push @lines, $object if !@lines || $lines[-1] ne $object;
            next;
        }
        my @said = `addr2line -s -f -e $self->{nginx}{binary} $offset`;
        chomp @said;
        push @lines, "$said[0] $said[1]"
            unless $said[0] =~ /^ngx_(p?n?c?alloc|palloc_large|calloc)$/;
        last if @lines == 12;
    }

    return join('', map { "$_\n" } @lines);
}


# The application, in a process of its own: it knows how often it got which
# message at the moment it has got it.  /app/fail... answers 500, /app/hang...
# never, /app/big... with 20 KB, anything else 204.

sub _app {
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
                                       Listen => 511) // die "app: $@\n";
    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        $SIG{PIPE} = 'IGNORE';
        _serve($listen);
    }

    return { pid => $pid, port => $listen->sockport };
}


sub _serve {
    my $listen = shift;

    my $select = IO::Select->new($listen);
    my (%buffer, %count);

    while (1) {
        for my $socket ($select->can_read) {
            if ($socket == $listen) {
                $select->add($listen->accept // next);
                next;
            }
            if (!sysread($socket, $buffer{$socket}, 65536,
                         length($buffer{$socket} // '')))
            {
                delete $buffer{$socket};
                $select->remove($socket);
                close($socket);
                next;
            }
            $buffer{$socket} =~ /^(\S+) (\S+).*?\r\n(.*?)\r\n\r\n/s or next;
            my ($uri, $head, $end) = ($2, $3, $+[0]);
            my $length = $head =~ /^content-length: (\d+)/mi ? $1 : 0;
            next if length($buffer{$socket}) < $end + $length;
            substr($buffer{$socket}, 0, $end + $length, '');

            my ($status, $body) = ('204 No Content', '');
            if ($uri =~ m{^/count/(.*)}) {
                ($status, $body) = ('200 OK', $json->encode($count{$1} // {}));
            } else {
                my $id = $head =~ /^(?:webhook|svix)-id: (\S+)/mi ? $1 : '';
                $count{$id}{$uri}++;
                next if $uri =~ /hang/;
                $status = '500 No' if $uri =~ /fail/;
                ($status, $body) = ('200 OK', 'x' x 20_000) if $uri =~ /big/;
            }
            syswrite($socket, "HTTP/1.1 $status\r\nContent-Length: "
                . length($body) . "\r\n\r\n$body");
        }
    }
}


sub DESTROY {
    my $self = shift;

    local $?;
    kill('KILL', $self->{app}{pid}) if $self->{app};
}


1;
