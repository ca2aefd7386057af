package CodatTest::Upstream;

# The application behind nginx, played by a process of its own: HTTP/1.1 with
# keep-alive, over TLS if wanted, or a FastCGI responder.  Each connection is
# served by a fork, so that slow answers don't hold up others.  Requests are
# recorded, in the order in which they were complete, for the test to read.

use strict;
use warnings;

use Fcntl qw(:flock);
use File::Temp ();
use IO::Select ();
use IO::Socket::INET ();
use JSON::PP ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);

use CodatTest::Slow;

my $json = JSON::PP->new->ascii->canonical;
my %live;


# new(handler => sub { my $request = shift; return { status => 200,
#         headers => [[name, value], ...] or {...}, body => '', delay => 0 } },
#     answer => { ... }    instead of a handler, and see answer()
#     tls => 0, fastcgi => 0, port => any free one, host => '127.0.0.1')
#
# The handler runs in the process of the connection: it sees the test's
# variables as they were, and changes reach nobody.  $request->{n} counts all
# requests from 1.  An answer may also be
#     { abort => 1 }       close without an answer (reset => 1: with a reset)
#     { raw => 'bytes' }   these bytes, then close
#     close => 1           close after this answer
#     no_length => 1       without Content-Length: the body ends by closing

sub new {
    my ($class, %opt) = @_;

    my $self = bless { %opt, owner => $$ }, $class;

    $self->{dir} = File::Temp->newdir('codat-up-XXXXXX', TMPDIR => 1);
    $self->{path} = $self->{dir}->dirname;
    ($self->{cert}, $self->{key}) = CodatTest::make_cert($self->{path})
        if $self->{tls};
    $self->reset;
    $self->answer(%{$self->{answer} // {}});

    $self->{listen} = IO::Socket::INET->new(LocalAddr => $self->{host} // '127.0.0.1',
        LocalPort => $self->{port} // 0, Listen => 511, ReuseAddr => 1)
        or die "upstream: $@\n";
    $self->{port} = $self->{listen}->sockport;

    $self->start;

    return $self;
}


sub port { $_[0]{port} }
sub address { ($_[0]{host} // '127.0.0.1') . ":$_[0]{port}" }
sub cert { $_[0]{cert} }


# answer(%answer): from now on, where there is no handler

sub answer {
    my ($self, %answer) = @_;

    open(my $fh, '>', "$self->{path}/answer.new") or die "answer: $!\n";
    print $fh $json->encode(\%answer);
    close($fh);
    rename("$self->{path}/answer.new", "$self->{path}/answer");
}


# requests(): what came so far, a list of { n, time, connection, method, uri,
# version, headers => [[name, value], ...], body } and for FastCGI params.
# Bodies are bytes

sub requests {
    my $self = shift;

    open(my $fh, '<', "$self->{path}/requests") or return;
    flock($fh, LOCK_SH);
    my @lines = <$fh>;

    return map { bless $json->decode($_), 'CodatTest::Request' } @lines;
}


# wait_requests($n, $timeout = 5): the list, as soon as it has $n, or at the
# end of the time

sub wait_requests {
    my ($self, $n, $timeout) = @_;

    my $until = time + slow($timeout // 5);
    while (1) {
        my @requests = $self->requests;
        return @requests if @requests >= $n || time > $until;
        sleep(0.01);
    }
}


# forgets what was recorded

sub reset {
    my $self = shift;

    open(my $fh, '+>>', "$self->{path}/requests") or die "requests: $!\n";
    flock($fh, LOCK_EX);
    truncate($fh, 0);
    _count($self, 0);
}


# stop(): nobody listens any more, connections are cut.  start() again uses
# the same port

sub stop {
    my $self = shift;

    my $pid = delete $self->{pid} or return;
    kill('KILL', -$pid, $pid);
    local $?;
    waitpid($pid, 0);
    delete $live{$pid};
}


sub start {
    my $self = shift;

    return if $self->{pid};

    $self->{listen} //= IO::Socket::INET->new(LocalAddr => $self->{host} // '127.0.0.1',
        LocalPort => $self->{port}, Listen => 511, ReuseAddr => 1)
        // die "upstream: $@\n";

    my $pid = fork() // die "fork: $!\n";
    if (!$pid) {
        setpgrp(0, 0);
        _close_others(fileno($self->{listen}));
        $SIG{$_} = 'DEFAULT' for qw(INT TERM);
        $SIG{CHLD} = 'IGNORE';
        $SIG{PIPE} = 'IGNORE';
        eval { $self->_accept };
        print STDERR "upstream: $@" if $@;
        POSIX::_exit(0);
    }

    # other forks must not inherit it, or stop() would not free the port
    CORE::close(delete $self->{listen});

    $self->{pid} = $pid;
    $live{$pid} = $$;
}


# A copy of a client's socket here would keep its connection open.  Perl counts
# the users of a descriptor: were one closed behind the back of its handle, the
# next handle with this number could not close it, nor give back a lock on it.

sub _close_others {
    my $keep = shift;

    open(my $null, '<', '/dev/null') or die "/dev/null: $!\n";

    for my $fd (map { m{/(\d+)$} } glob('/proc/self/fd/*')) {
        next if $fd <= 2 || $fd == $keep || $fd == fileno($null);
        POSIX::dup2(fileno($null), $fd) if -e "/proc/self/fd/$fd";
    }
}


sub _accept {
    my $self = shift;

    my $parent = $self->{owner};
    my $number = 0;

    while (1) {
        my $ready = IO::Select->new($self->{listen})->can_read(2);
        return if !kill(0, $parent);
        next unless $ready;

        my $socket = $self->{listen}->accept or next;
        $number++;

        my $pid = fork() // die "fork: $!\n";

        if ($pid) {
            $socket->close;
            next;
        }

        CORE::close($self->{listen});
        eval { $self->_serve($socket, $number) };
        print STDERR "# upstream: $@" if $@;
        POSIX::_exit(0);
    }
}


sub _serve {
    my ($self, $socket, $number) = @_;

    $socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);

    if ($self->{tls}) {
        require IO::Socket::SSL;
        IO::Socket::SSL->start_SSL($socket, SSL_server => 1,
            SSL_cert_file => $self->{cert}, SSL_key_file => $self->{key})
            or return;
    }

    my $in = { socket => $socket, buffer => '' };
    my $read = $self->{fastcgi} ? \&_read_fastcgi : \&_read_http;

    while (my $request = $read->($in)) {
        my $keep = delete $request->{keep};
        $request->{connection} = $number;
        $request->{time} = time;
        $self->_record($request);
        bless $request, 'CodatTest::Request';

        my $answer = $self->{handler} ? $self->{handler}->($request)
                                      : $self->_default_answer;
        sleep($answer->{delay}) if $answer->{delay};

        if ($answer->{reset}) {
            CodatTest::Client::abort({ socket => $socket });
            return;
        }

        return if $answer->{abort};

        my $bytes = defined $answer->{raw} ? $answer->{raw}
            : $self->{fastcgi} ? _fastcgi_answer($request, $answer)
            : _http_answer($request, $answer, \$keep);
        _write($socket, $bytes);

        last if !$keep || $answer->{close} || defined $answer->{raw};
    }

    $socket->close;
}


sub _record {
    my ($self, $request) = @_;

    open(my $fh, '>>', "$self->{path}/requests") or die "requests: $!\n";
    flock($fh, LOCK_EX);
    $request->{n} = _count($self, _count($self) + 1);
    print $fh $json->encode({%$request}), "\n";

    # where _close_others() closed a handle of the same number, Perl does not
    # close this one, which would stay locked for as long as the connection
    flock($fh, LOCK_UN);
    CORE::close($fh);
}


# the counter, guarded by the lock of the list

sub _count {
    my ($self, $set) = @_;

    my $path = "$self->{path}/count";

    if (defined $set) {
        open(my $fh, '>', $path) or die "count: $!\n";
        print $fh $set;
        return $set;
    }

    open(my $fh, '<', $path) or return 0;

    return scalar(<$fh>) // 0;
}


sub _default_answer {
    my $self = shift;

    open(my $fh, '<', "$self->{path}/answer") or die "answer: $!\n";
    local $/;

    return $json->decode(scalar <$fh>);
}


sub _headers {
    my $headers = shift // [];

    return ref $headers eq 'ARRAY' ? @$headers
        : map { [$_, $headers->{$_}] } sort keys %$headers;
}


# HTTP

sub _read_http {
    my $in = shift;

    my $head = _read_line($in, "\r\n\r\n") // return;
    my ($first, @lines) = split(/\r\n/, $head);
    my ($method, $uri, $version) = split(' ', $first);

    my @headers = map { [split(/:\s*/, $_, 2)] } @lines;
    my %last = map { lc $_->[0] => $_->[1] } @headers;
    my $body = '';

    if (lc($last{'transfer-encoding'} // '') eq 'chunked') {
        while (1) {
            my $size = hex(_read_line($in, "\r\n") // return);
            my $data = _read_n($in, $size + 2) // return;
            last unless $size;
            $body .= substr($data, 0, -2);
        }

    } elsif ($last{'content-length'}) {
        $body = _read_n($in, $last{'content-length'}) // return;
    }

    my $connection = lc($last{connection} // '');

    return {
        method => $method, uri => $uri, version => $version // '',
        headers => \@headers, body => $body,
        keep => ($version // '') eq 'HTTP/1.1' ? $connection ne 'close'
                                               : $connection eq 'keep-alive',
    };
}


sub _http_answer {
    my ($request, $answer, $keep) = @_;

    my $status = $answer->{status} // 200;
    my $body = $answer->{body} // '';
    my @headers = _headers($answer->{headers});

    if ($answer->{no_length}) {
        $$keep = 0;

    } elsif ($status != 204 && $status != 304) {
        push @headers, ['Content-Length', length $body];
    }

    push @headers, ['Connection', 'close'] if !$$keep || $answer->{close};
    $body = '' if $request->{method} eq 'HEAD';

    return join('', "HTTP/1.1 $status X\r\n",
                (map { "$_->[0]: $_->[1]\r\n" } @headers), "\r\n", $body);
}


# FastCGI: one request at a time on a connection, which is what nginx does

sub _read_fastcgi {
    my $in = shift;

    my ($id, $keep, $params, $stdin) = (0, 0, '', '');

    while (1) {
        my $head = _read_n($in, 8) // return;
        my (undef, $type, $record_id, $length, $padding)
            = unpack('CCnnC', $head);
        my $data = $length ? _read_n($in, $length) // return : '';
        _read_n($in, $padding) // return if $padding;

        if ($type == 1) {                       # begin request
            (undef, $keep) = unpack('nC', $data);
            $id = $record_id;

        } elsif ($type == 4) {                  # params
            $params .= $data;

        } elsif ($type == 5) {                  # stdin, ends with an empty one
            $stdin .= $data;
            last unless $length;
        }
    }

    my %params;
    while (length $params) {
        my ($n, $v) = map { _fastcgi_length(\$params) } 1 .. 2;
        my $name = substr($params, 0, $n, '');
        $params{$name} = substr($params, 0, $v, '');
    }

    my @headers = map { [lc(s/^HTTP_//r =~ tr/_/-/r), $params{$_}] }
        grep { /^HTTP_|^CONTENT_/ && length $params{$_} } sort keys %params;

    return {
        method => $params{REQUEST_METHOD}, uri => $params{REQUEST_URI},
        version => 'FastCGI', headers => \@headers, params => \%params,
        body => $stdin, keep => $keep & 1, id => $id,
    };
}


sub _fastcgi_length {
    my $text = shift;

    my $n = unpack('C', $$text);

    return unpack('C', substr($$text, 0, 1, '')) if $n < 128;
    return unpack('N', substr($$text, 0, 4, '')) & 0x7fffffff;
}


sub _fastcgi_answer {
    my ($request, $answer) = @_;

    my $id = $request->{id};
    my $out = join('', 'Status: ' . ($answer->{status} // 200) . "\r\n",
                   (map { "$_->[0]: $_->[1]\r\n" }
                    ['Content-Type', 'text/plain'],
                    _headers($answer->{headers})),
                   "\r\n", $answer->{body} // '');

    my $bytes = '';
    while (length $out) {
        my $part = substr($out, 0, 32768, '');
        $bytes .= pack('CCnnCC', 1, 6, $id, length $part, 0, 0) . $part;
    }

    return $bytes . pack('CCnnCC', 1, 6, $id, 0, 0, 0)
        . pack('CCnnCC', 1, 3, $id, 8, 0, 0) . pack('NCx3', 0, 0);
}


# input

sub _more {
    my $in = shift;

    my $n;
    do {
        $n = sysread($in->{socket}, $in->{buffer}, 65536,
                     length $in->{buffer});
    } while !defined $n && $!{EINTR};

    return $n;
}


sub _read_n {
    my ($in, $n) = @_;

    _more($in) or return while length $in->{buffer} < $n;

    return substr($in->{buffer}, 0, $n, '');
}


sub _read_line {
    my ($in, $end) = @_;

    _more($in) or return while index($in->{buffer}, $end) < 0;

    my $line = substr($in->{buffer}, 0, index($in->{buffer}, $end), '');
    substr($in->{buffer}, 0, length $end, '');

    return $line;
}


sub _write {
    my ($socket, $bytes) = @_;

    while (length $bytes) {
        my $n = syswrite($socket, $bytes) // return;
        substr($bytes, 0, $n, '');
    }
}


sub DESTROY {
    my $self = shift;

    local ($?, $@);
    $self->stop if $self->{pid} && $self->{owner} == $$;
}


END {
    kill('KILL', -$_, $_) for grep { $live{$_} == $$ } keys %live;
}


package CodatTest::Request;


# header($name): as a list, or joined by ", ", or undef

sub header {
    my ($self, $name) = @_;

    my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name }
        @{$self->{headers}};

    return @values if wantarray;
    return @values ? join(', ', @values) : undef;
}


sub json { JSON::PP->new->utf8->decode($_[0]{body}) }


1;
