package CodatTest::Client;

# A small HTTP/1.1 client on one connection, that can do what clients should
# not: send half a request, leave, read a part.  Times are in seconds.

use strict;
use warnings;

use IO::Select ();
use IO::Socket::INET ();
use Socket qw(SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);

use CodatTest::Slow;


# new(port => N, host => '127.0.0.1', timeout => 5, tls => 0)

sub new {
    my ($class, %opt) = @_;

    my $self = bless {
        host => '127.0.0.1', timeout => 5, buffer => '', %opt,
    }, $class;

    my $socket = IO::Socket::INET->new(PeerAddr => $self->{host},
                                       PeerPort => $self->{port},
                                       Timeout => slow($self->{timeout}))
        or die "connect to $self->{host}:$self->{port}: $@\n";

    $socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1);

    if ($self->{tls}) {
        require IO::Socket::SSL;
        IO::Socket::SSL->start_SSL($socket, SSL_verify_mode => 0,
                                   SSL_hostname => 'localhost')
            or die 'TLS: ', IO::Socket::SSL::errstr(), "\n";
    }

    $self->{socket} = $socket;

    return $self;
}


# build($method, $uri, $headers, $body, %opt): the bytes of a request.
# $headers: hash, array of [name, value], or lines of text.  Host and
# Content-Length are added unless given.
#   chunked => SIZE    no_length => 1    close => 1    version => '1.0'

sub build {
    my ($self, $method, $uri, $headers, $body, %opt) = @_;

    my @headers = _header_list($headers);
    my %has = map { lc $_->[0] => 1 } @headers;

    unshift @headers, ['Host', "localhost:$self->{port}"] unless $has{host};
    push @headers, ['Connection', 'close'] if $opt{close};

    if (defined $body) {
        if ($opt{chunked}) {
            push @headers, ['Transfer-Encoding', 'chunked'];
            $body = chunk($body, $opt{chunked});

        } elsif (!$opt{no_length} && !$has{'content-length'}
                 && !$has{'transfer-encoding'})
        {
            push @headers, ['Content-Length', length $body];
        }
    }

    my $version = $opt{version} // '1.1';

    return join('', "$method $uri HTTP/$version\r\n",
                (map { "$_->[0]: $_->[1]\r\n" } @headers), "\r\n",
                $body // '');
}


# chunk($body, $size): in chunked encoding, with the last chunk

sub chunk {
    my ($body, $size) = @_;

    my $out = '';
    for (my $at = 0; $at < length $body; $at += $size) {
        my $part = substr($body, $at, $size);
        $out .= sprintf("%x\r\n%s\r\n", length $part, $part);
    }

    return $out . "0\r\n\r\n";
}


# request(...): build, send, read.  Returns a CodatTest::Response, or undef
# (see error).  Besides the options of build:
#   expect => 1     sends the body only after "100 Continue"
#   timeout => N    to wait for the answer

sub request {
    my ($self, $method, $uri, $headers, $body, %opt) = @_;

    my @read = (head => $method eq 'HEAD', timeout => $opt{timeout});

    if (!$opt{expect}) {
        $self->send($self->build($method, $uri, $headers, $body, %opt));
        return $self->read_response(@read);
    }

    $headers = [_header_list($headers), ['Expect', '100-continue']];
    my ($head, $rest) = split(/(?<=\r\n\r\n)/,
        $self->build($method, $uri, $headers, $body, %opt), 2);
    $self->send($head);

    my $response = $self->read_response(@read, interim => 1);
    return $response if !$response || $response->status != 100;

    $self->send($rest);
    $response = $self->read_response(@read) or return;
    unshift @{$response->{interim}}, 100;

    return $response;
}


# send($bytes): true when all of it could be written

sub send {
    my ($self, $bytes) = @_;

    local $SIG{PIPE} = 'IGNORE';

    while (length $bytes) {
        my $n = syswrite($self->{socket}, $bytes);
        if (!defined $n) {
            next if $!{EINTR};
            $self->{error} = "write: $!";
            return 0;
        }
        substr($bytes, 0, $n, '');
    }

    return 1;
}


# read_response(head => 1: no body is expected, interim => 1: also return a
# 1xx answer, timeout => N)

sub read_response {
    my ($self, %opt) = @_;

    my $until = time + slow($opt{timeout} // $self->{timeout});
    my @interim;

    while (1) {
        $self->_fill($until) or return
            while $self->{buffer} !~ /\r\n\r\n/;

        $self->{buffer} =~ s/^(.*?\r\n)\r\n//s;
        my $response = CodatTest::Response->parse($1)
            or do { $self->{error} = "not HTTP: $1"; return };

        if ($response->status < 200 && !$opt{interim}) {
            push @interim, $response->status;
            next;
        }

        $response->{interim} = \@interim;
        my $none = $opt{head} || $response->status =~ /^(1..|204|304)$/;
        $response->{body} = $none ? '' : $self->_read_body($response, $until);

        return defined $response->{body} ? $response : undef;
    }
}


sub _read_body {
    my ($self, $response, $until) = @_;

    if (lc($response->header('transfer-encoding') // '') eq 'chunked') {
        my $body = '';

        while (1) {
            my $line = $self->_read_until("\r\n", $until) // return;
            my $size = hex($line =~ s/;.*//r);
            my $data = $self->_read_exactly($size + 2, $until) // return;
            return $body unless $size;
            $body .= substr($data, 0, -2);
        }
    }

    my $length = $response->header('content-length');
    return $self->_read_exactly($length, $until) if defined $length;

    1 while $self->_fill($until);
    return unless $self->{eof};

    return $self->_take(length $self->{buffer});
}


# read_bytes($n, $timeout): at most $n of the next bytes, as they come

sub read_bytes {
    my ($self, $n, $timeout) = @_;

    $self->_fill(time + ($timeout // slow($self->{timeout})))
        unless length $self->{buffer};

    return $self->_take($n);
}


# closed($timeout): whether the server closes within this time, having sent
# nothing more (what it sent can still be read)

sub closed {
    my ($self, $timeout) = @_;

    return 0 if length $self->{buffer};

    $self->_fill(time + ($timeout // slow($self->{timeout})));

    return $self->{eof} && !length $self->{buffer} ? 1 : 0;
}


sub half_close { shutdown($_[0]{socket}, 1) }

sub close { CORE::close($_[0]{socket}) }

sub socket { $_[0]{socket} }

sub error { $_[0]{error} }


# leaves with a reset

sub abort {
    my $self = shift;

    setsockopt($self->{socket}, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
    CORE::close($self->{socket});
}


sub _take {
    my ($self, $n) = @_;

    my $bytes = substr($self->{buffer}, 0, $n);
    substr($self->{buffer}, 0, length $bytes, '');

    return $bytes;
}


sub _read_exactly {
    my ($self, $n, $until) = @_;

    $self->_fill($until) or return while length $self->{buffer} < $n;

    return $self->_take($n);
}


sub _read_until {
    my ($self, $mark, $until) = @_;

    $self->_fill($until) or return while index($self->{buffer}, $mark) < 0;

    my $line = $self->_take(index($self->{buffer}, $mark));
    $self->_take(length $mark);

    return $line;
}


# true when there is more in the buffer

sub _fill {
    my ($self, $until) = @_;

    my $socket = $self->{socket};
    my $pending = $self->{tls} ? $socket->pending : 0;

    if (!$pending) {
        my $left = $until - time;
        if ($left < 0 || !IO::Select->new($socket)->can_read($left)) {
            $self->{error} = 'timed out';
            return 0;
        }
    }

    my $n = sysread($socket, $self->{buffer}, 65536, length $self->{buffer});
    if (!$n) {
        $self->{eof} = 1;
        $self->{error} = defined $n ? 'closed' : "read: $!";
        return 0;
    }

    return 1;
}


sub _header_list {
    my $headers = shift;

    return unless defined $headers;
    return map { [$_, $headers->{$_}] } sort keys %$headers
        if ref $headers eq 'HASH';
    return @$headers if ref $headers;
    return map { [split(/:\s*/, $_, 2)] } grep { length }
        split(/\r?\n/, $headers);
}


package CodatTest::Response;

use JSON::PP ();


sub parse {
    my ($class, $head) = @_;

    my ($first, @lines) = split(/\r\n/, $head);
    $first =~ m{^HTTP/(\d\.\d) (\d\d\d) ?(.*)$} or return;

    return bless {
        version => $1, status => $2, reason => $3, head => $head,
        headers => [map { [split(/:\s*/, $_, 2)] } @lines],
    }, $class;
}


sub status { $_[0]{status} }
sub reason { $_[0]{reason} }
sub body { $_[0]{body} }
sub head { $_[0]{head} }
sub interim { @{$_[0]{interim}} }
sub json { JSON::PP->new->utf8->decode($_[0]{body}) }


# header($name): the values in the order of the answer; as a scalar joined by
# ", ", or undef

sub header {
    my ($self, $name) = @_;

    my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name }
        @{$self->{headers}};

    return @values if wantarray;
    return @values ? join(', ', @values) : undef;
}


1;
