#!/usr/bin/perl

# 10,000 requests, good and bad, over 64 keep-alive connections: each gets the
# answer that it deserves, no connection is leaked and no worker is lost.
# CODAT_LOAD sets another number of requests.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Nginx;
use CodatTest::Upstream;

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);

my $total = $ENV{CODAT_LOAD} || 10_000;
my $connections = 64;
my $secret = new_secret();

my $ngx = CodatTest::Nginx->new(
    workers => 2, level => ($ENV{CODAT_LEVEL} || 'info'), worker_connections => 1024,
    conf => { http => <<'EOF', server => <<"EOF" });
    codat_zone zone=codat:1m;
    codat_log_level info;
EOF
    keepalive_requests 1000000;
    client_body_buffer_size 1k;
    client_max_body_size 64k;

    location = /hook {
        codat_webhook zone=codat;
        codat_credential signature $secret;
        codat_forward connection.* /app;
        codat_forward connection.* \@raw format=raw;
        codat_forward *.write.* /down optional;
    }

    location = /app { internal; proxy_pass http://127.0.0.1:{{port}}/sink; }
    location \@raw { rewrite ^ /sink break; proxy_pass http://127.0.0.1:{{port}}; }
    location = /down { internal; return 500; }
    location = /sink { return 200 "ok"; }
    location = /status { stub_status; }
EOF

$ngx->start;
my %before = map { $_ => 1 } $ngx->pids;

my @good = map { body($_) } qw(company.created connection.connected
    connection.deleted invoices.write.successful read.completed
    client.rateLimit.reached);
push @good, body('PushOperationStatusChanged', generation => 'legacy');

my ($n, %count, @wrong) = (0);
my %memory;


# [name, expected status, bytes]

my @kinds = (
    sub { good($good[rand @good]) },
    sub { good($good[rand @good]) },
    sub { good($good[rand @good]) },
    sub { my $r = good($good[rand @good], chunked => 1); $r },
    sub { good('{"eventType":"company.created","payload":{"name":"'
               . 'x' x 20_000 . '"}}', name => 'large') },
    sub { signed('tampered', 401, sub { $_[0] =~ s/:/: /; $_[0] }) },
    sub { signed('old', 401, undef, offset => -3600) },
    sub { [ 'stranger', 401, request('POST', '', $good[0]) ] },
    sub { signed('cut', 400, undef, body => substr($good[0], 0, -2)) },
    sub { signed('deep', 400, undef, body => '[' x 65 . ']' x 65) },
    sub { signed('array', 400, undef, body => '[1,2,3]') },
    sub { signed('bytes', 400, undef, body => "{\"a\":\"\xff\xfe\"}") },
    sub { [ 'get', 405, request('GET', '', '') ] },
    sub { signed('text', 415, undef, type => 'text/plain') },
    sub { signed('gzip', 415, undef, more => "Content-Encoding: gzip\r\n") },
    sub { signed('huge', 413, undef, body => 'x' x 70_000) },
    sub { $memory{last} ? [ 'again', 200, $memory{last} ]
                        : good($good[0]) },
);


sub request {
    my ($method, $headers, $body, %opt) = @_;

    $headers =~ s/\r?\n/\r\n/g;
    my $type = $opt{type} // 'application/json';

    my $head = "$method /hook HTTP/1.1\r\nHost: localhost\r\n"
               . "Content-Type: $type\r\n$headers" . ($opt{more} // '');

    return $head . 'Content-Length: ' . length($body) . "\r\n\r\n$body"
        unless $opt{chunked};

    my $chunks = '';
    my $rest = $body;
    while (length $rest) {
        my $piece = substr($rest, 0, 1 + int(rand(400)), '');
        $chunks .= sprintf("%x\r\n%s\r\n", length($piece), $piece);
    }

    return "${head}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n";
}


sub good {
    my ($body, %opt) = @_;

    my $bytes = request('POST', signed_headers($secret, $body), $body, %opt);
    my $name = $opt{name} // ($opt{chunked} ? 'chunked' : 'good');

    if ($name eq 'good' && rand() < 0.1) {
        $memory{last} = $bytes;
        $name = 'again';
    }

    return [ $name, 200, $bytes ];
}


sub signed {
    my ($name, $status, $change, %opt) = @_;

    my $body = $opt{body} // $good[0];
    my $headers = signed_headers($secret, $body, %opt);
    $body = $change->($body) if $change;

    return [ $name, $status, request('POST', $headers, $body, %opt) ];
}


# one connection: what to write, what was read, what is expected

sub next_request {
    my ($c) = @_;

    return if $n >= $total;
    $n++;

    my $kind = $kinds[rand @kinds]->();
    @$c{qw(name status out)} = @$kind;
    $c->{in} = '';
    $c->{close} = 0;

    return 1;
}


sub connection {
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $ngx->port, Timeout => 5)
        or die "connect: $@";
    $socket->blocking(0);

    return { socket => $socket };
}


sub answered {
    my ($c) = @_;

    return unless $c->{in} =~ /\AHTTP\/1\.1 (\d+)(.*?)\r\n\r\n/s;

    my ($status, $head, $length) = ($1, $2, $+[0]);
    my ($body) = $head =~ /^Content-Length: (\d+)/mi;

    return if !defined $body || length($c->{in}) < $length + $body;

    # an optional forward may still be under way, or the body too large

    $c->{close} = 1 if $head =~ /^Connection: close/mi;

    # two copies at once may meet

    my $ok = $status == $c->{status}
             || ($c->{name} eq 'again' && $status == 503);

    push @wrong, "$c->{name}: $status for $c->{status}" unless $ok;
    $count{$c->{name}}++;

    return 1;
}


my $select = IO::Select->new;
my %of;

sub add {
    my $c = connection();
    next_request($c) or return;
    $of{fileno $c->{socket}} = $c;
    $select->add($c->{socket});
}

sub drop {
    my ($c) = @_;
    $select->remove($c->{socket});
    delete $of{fileno $c->{socket}};
    close($c->{socket});
}

add() for 1 .. $connections;

my $deadline = time() + 240;

while ($select->count && time() < $deadline) {
    my @writers = grep { length $of{fileno $_}{out} } $select->handles;

    my ($r, $w) = IO::Select::select($select,
        @writers ? IO::Select->new(@writers) : undef, undef, 5);

    for my $socket (@{$w || []}) {
        my $c = $of{fileno $socket} or next;
        my $sent = syswrite($socket, $c->{out});
        substr($c->{out}, 0, $sent, '') if $sent;
    }

    for my $socket (@{$r || []}) {
        my $c = $of{fileno $socket} or next;
        my $got = sysread($socket, $c->{in}, 65536, length $c->{in});

        if (!$got) {
            next if !defined $got && $!{EAGAIN};
            push @wrong, "$c->{name}: closed without an answer";
            drop($c);
            add();
            next;
        }

        next unless answered($c);

        if ($c->{close}) {
            drop($c);
            add();

        } elsif (!next_request($c)) {
            drop($c);
        }
    }
}

is(scalar @wrong, 0, 'every request got the answer it deserves')
    or diag(join("\n", @wrong > 10 ? @wrong[0 .. 9] : @wrong));

my $answers = 0;
$answers += $_ for values %count;
cmp_ok($answers, '>=', $total, "$total requests were answered");

cmp_ok($count{$_} // 0, '>', 0, "some of them: $_")
    for qw(good chunked large tampered old stranger cut deep array bytes get
           text gzip huge again);

my $active;
for (1 .. 50) {
    my $page = CodatTest::Client->new(port => $ngx->port)
                                ->request('GET', '/status', [], '')->{body};
    ($active) = $page =~ /Active connections: (\d+)/;
    last if $active == 1;
    select(undef, undef, undef, 0.1);
}

is($active, 1, 'no connection is left but the one that asks');
is_deeply({ map { $_ => 1 } $ngx->pids }, \%before, 'no worker was replaced');
no_bad_log($ngx);
ok($ngx->stop, 'all processes ended well');

done_testing();
