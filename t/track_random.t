# Pushes at random: webhooks before, during and after the API's answer, copies
# of them, lost ones, failures, time-outs, pushes that wait for others, and
# clients that leave.  In the end every push is in its right state, and
# everybody who waited was answered right.  TRACK_PUSHES=5000 sets how many,
# TRACK_SEED=N repeats a run.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Track;
use IO::Socket::INET ();
use IO::Uncompress::Gunzip ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(time sleep);

my $total = $ENV{TRACK_PUSHES} || 1500;
my $seed = $ENV{TRACK_SEED} || int(rand(1_000_000)) + 1;
my $crowd = 150;        # at the same time
my $patience = 40;      # seconds that are waited at most

srand($seed);
diag("$total pushes, TRACK_SEED=$seed");

my $t = CodatTest::Track->new(
    workers => 2, worker_connections => 2048, zone => 'zone=codat:16m',
    listen => ['127.0.0.1:{{port}} reuseport'],
    location => 'codat_wait 60s;',
    server => 'keepalive_requests 1000000;
               location /pass/ { codat_track zone=codat; proxy_buffering off;
                                 proxy_pass http://api/; }');

my ($nginx, $api) = ($t->nginx, $t->api);
my $json = JSON::PP->new->utf8;
my (@plans, @wrong, %did);    # of pushes; what went wrong; how often what


sub one { return $_[rand @_] }

sub chance { return rand() < $_[0] }

sub wrong {
    my ($plan, $text) = @_;

    push @wrong, "$plan->{key} ($plan->{mock}; $plan->{kind}): $text";
}


# what is done, and what has to come of it

sub draw {
    my $n = shift;

    my %plan = (key => "push-$n-$seed", record => "rec-$n", n => $n);
    my $kind = $plan{kind} = one(('held') x 7, ('polled') x 5,
        ('asked') x 3, ('left') x 3, ('alone') x 2, 'impatient');

    $plan{final} = one(('Success') x 4, 'Failed', 'TimedOut');
    $plan{when} = $kind eq 'impatient' ? one(1.5, 2.5)
        : one('before', 'now', 'lost', ('during') x 3, ('after') x 5);
    $plan{legacy} = chance(0.2);
    $plan{reference} = chance(0.7) ? "expense-$n" : '';
    $plan{location} = one('api', 'api', 'pass');

    my %mock = (key => $plan{key}, record => $plan{record},
                final => $plan{final}, copies => one(1, 1, 1, 2, 3));
    $mock{generation} = 'legacy' if $plan{legacy};
    $mock{after} = $plan{when} eq 'before' ? -0.01 - rand(0.05)
        : $plan{when} eq 'now' ? 'now'
        : $plan{when} eq 'during' ? one(0, 0.005)
        : $plan{when} eq 'lost' ? 0.01
        : $plan{when} eq 'after' ? 0.02 + rand(one(0.1, 0.5, 1.5))
        : $plan{when};
    $mock{silent} = 1 if $plan{when} eq 'lost';
    $mock{delay} = rand(0.1) if chance(0.2) && $plan{when} ne 'before';
    @mock{qw(chunked pause)} = (one(7, 50, 300), one(0, 0.002))
        if $plan{when} eq 'during' || chance(0.2);
    $mock{gzip} = 1 if chance(0.1);
    $mock{pad} = one(200, 5000) if chance(0.1);
    $plan{mock} = join(';', map { "$_=$mock{$_}" } sort keys %mock);
    $plan{gzip} = $mock{gzip};

    $plan{wait} = $plan{when} eq 'lost' || $kind eq 'impatient' ? 1 : $patience;

    # a push that is made for certain, and gets to its end

    if ($plan{wait} > 1 && chance(0.15)) {
        my @firm = grep { $_->{firm} && $_->{when} ne 'lost' }
            @plans[($n > 300 ? $n - 300 : 0) .. $n - 1];
        $plan{needs} = one(@firm) if @firm;
    }

    $plan{firm} = !$plan{needs} && $kind ne 'left';
    $plan{refused} = $plan{needs} && $plan{needs}{final} ne 'Success';

    return \%plan;
}


# the requests of one push: begin() sends one, answered() takes its answer

my %running;

sub begin {
    my ($plan, $method, $uri, $body, @headers) = @_;

    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $nginx->port) or die "connect: $@\n";

    $body //= '';
    push @headers, 'Content-Length: ' . length $body if $method eq 'POST';
    syswrite($socket, join("\r\n", "$method $uri HTTP/1.1", 'Host: localhost',
                           'Connection: close', @headers, '', $body));
    $socket->blocking(0);

    $running{fileno $socket} = { plan => $plan, socket => $socket, in => '',
                                 began => time };
}


sub launch {
    my $plan = shift;

    my @headers = ("X-Mock: $plan->{mock}", 'Content-Type: application/json');
    push @headers, "X-Codat-Reference: $plan->{reference}"
        if length $plan->{reference};
    push @headers, "X-Codat-After: $plan->{needs}{key}" if $plan->{needs};
    push @headers, 'Accept-Encoding: gzip' if $plan->{gzip};
    $plan->{waits} = $plan->{kind} =~ /held|impatient/
        || ($plan->{kind} eq 'left' && chance(0.5));
    push @headers, "Prefer: wait=$plan->{wait}" if $plan->{waits};

    begin($plan, 'POST', "/$plan->{location}" . $t->path,
          qq({"invoiceNumber":"$plan->{n}"}), @headers);

    $plan->{leaves} = time + one(0, rand(0.05), rand(0.5))
        if $plan->{kind} eq 'left';
    $plan->{step} = 'push';
}


# what a response says; dies if it is none

sub response {
    my $text = shift;

    my ($head, $body) = split(/\r\n\r\n/, $text, 2);
    my ($status) = ($head // '') =~ m{^HTTP/1\.1 (\d+)} or die 'no answer';

    if ($head =~ /^transfer-encoding: chunked/mi) {
        my $all = '';
        while ($body =~ s/^([0-9a-f]+)\r\n//i && hex $1) {
            $all .= substr($body, 0, hex $1, '');
            substr($body, 0, 2, '');
        }
        die 'not the last chunk' if $body !~ /^\r\n/;
        $body = $all;
    }

    if ($head =~ /^content-encoding: gzip/mi) {
        my $packed = $body;
        IO::Uncompress::Gunzip::gunzip(\$packed => \$body);
    }

    return ($status, $json->decode($body), $head);
}


sub answered {
    my ($plan, $text, $took) = @_;

    my ($status, $data, $head) = eval { response($text) };
    return wrong($plan, "$plan->{step}: $@") if !defined $data;

    $plan->{answered} = 1;

    if ($plan->{step} eq 'push') {

        if ($plan->{refused}) {
            $did{refused}++;
            return if $status == 424 && $data->{detail}
                =~ /\Q$plan->{needs}{key}\E.*\Q$plan->{needs}{final}\E/;
            return wrong($plan, "not refused: $status");
        }

        return wrong($plan, "status $status, " . ($data->{detail} // ''))
            if $status != 200;

        $did{delayed}++ if $plan->{needs};
        $plan->{pushed} = 1;

        return outcome($plan, $data, $took) if $plan->{waits};
        return wrong($plan, "began as $data->{status}") if $data->{status}
            ne ($plan->{when} eq 'now' ? $plan->{final} : 'Pending')
            && $plan->{when} ne 'before';

    } else {
        return wrong($plan, "$plan->{step}: status $status") if $status != 200;
        return outcome($plan, $data, $took);
    }

    if ($plan->{kind} eq 'polled') {
        $plan->{step} = 'poll';
        begin($plan, 'GET', "/$plan->{location}/companies/$t->{company}/push/"
              . $plan->{key}, undef, "Prefer: wait=$plan->{wait}");

    } elsif ($plan->{kind} eq 'asked') {
        $plan->{step} = 'ask';
        begin($plan, 'GET', "/codat/pushes/$plan->{key}?wait=$plan->{wait}");
    }
}


# somebody who waited has got an answer

sub outcome {
    my ($plan, $data, $took) = @_;

    my $status = $data->{status} // '-';
    $did{"$plan->{step} $status"}++;

    return wrong($plan, "answered about $data->{pushOperationKey}")
        if ($data->{pushOperationKey} // '') ne $plan->{key};

    if ($status eq 'Pending') {
        return wrong($plan, "$plan->{step}: pending after $took s")
            if $took < $plan->{wait} - 0.05
            || ($plan->{when} ne 'lost' && $plan->{kind} ne 'impatient');
        return;
    }

    return wrong($plan, "$plan->{step}: $status instead of $plan->{final}")
        if $status ne $plan->{final};

    return wrong($plan, "$plan->{step}: the record is "
                 . ($data->{recordId} // $data->{data}{id} // 'unknown'))
        if $status eq 'Success' && !$plan->{legacy}
        && ($data->{recordId} // $data->{data}{id} // '') ne $plan->{record};
}


# all of them

push @plans, draw($_) for 0 .. $total - 1;

my $start = time;
my ($next, $last) = (0, time);

while ($next < @plans || %running) {
    launch($plans[$next++]) while $next < @plans && keys %running < $crowd;

    my $read = '';
    vec($read, $_, 1) = 1 for keys %running;
    my $n = select($read, undef, undef, 0.01);
    my $now = time;

    for my $fd (keys %running) {
        my $one = $running{$fd};
        my $plan = $one->{plan};

        if ($n > 0 && vec($read, $fd, 1)) {
            my $got = sysread($one->{socket}, $one->{in}, 65536,
                              length $one->{in});
            next if $got || (!defined $got && $!{EAGAIN});
            delete $running{$fd};
            close($one->{socket});
            answered($plan, $one->{in}, time - $one->{began});

        } elsif ($plan->{leaves} && $plan->{leaves} <= $now) {
            delete $running{$fd};
            close($one->{socket});
            $did{left}++;

        } elsif ($now - $one->{began} > 2 * $patience + 20) {
            delete $running{$fd};
            close($one->{socket});
            wrong($plan, "$plan->{step}: no answer");
        }
    }
}

note(sprintf('%.1f s', time - $start));
note("$_: $did{$_}") for sort keys %did;

is(scalar @wrong, 0, 'everybody was answered right')
    or diag(join("\n", @wrong > 20 ? @wrong[0 .. 19] : @wrong));


# the tables, once the last webhook has come.  What the API knows of a client
# that has left is asked for without nginx.

ok($nginx->wait_idle(10), 'no connection is left');
sleep(0.5);

@wrong = ();
my ($client, $mock) = ($nginx->client, CodatTest::Client->new(
    port => $api->port));
my %rows;

for my $plan (@plans) {
    my $made = $plan->{pushed};

    if ($plan->{kind} eq 'left') {
        my $response = $mock->request('GET',
            "/companies/$t->{company}/push/$plan->{key}");
        $made = $response->status == 200;
        $did{$made ? 'left behind' : 'gone in time'}++;
    }

    my $want = !$made ? 'none' : $plan->{when} eq 'lost' ? 'Pending'
        : $plan->{final};
    my $unheard = $made && !$plan->{answered}
        && $plan->{when} =~ /^(?:lost|now)$/;
    my ($row, $until) = (undef, time + 20);

    while (1) {
        my $response = $client->request('GET', "/codat/pushes/$plan->{key}")
            // die $client->error;
        $row = $response->status == 200 ? $response->json : undef;
        my $is = $row ? $row->{status} : 'none';
        last if $is eq $want || ($unheard && $is eq 'none');
        if (time > $until || $unheard) {
            wrong($plan, "the row is $is instead of $want");
            last;
        }
        sleep(0.05);
    }

    $rows{$row ? $row->{status} : 'none'}++;
    next unless $row;

    my $reference = $row->{reference} // '';
    wrong($plan, "the reference is \"$reference\"")
        if $reference ne $plan->{reference}
        && ($plan->{answered} || $reference ne '');
    wrong($plan, 'company, connection or type')
        if $row->{companyId} ne $t->{company}
        || $row->{connectionId} ne $t->{connection}
        || $row->{dataType} ne 'invoices';
    wrong($plan, 'the record is ' . ($row->{recordId} // 'unknown'))
        if $row->{status} eq 'Success' && !$plan->{legacy}
        && ($row->{recordId} // '') ne $plan->{record};
}

note("rows, $_: $rows{$_}") for sort keys %rows;

is(scalar @wrong, 0, 'every push is in its right state')
    or diag(join("\n", @wrong > 20 ? @wrong[0 .. 19] : @wrong));

for my $what ('push Success', 'push Failed', 'push TimedOut', 'push Pending',
              'poll Success', 'poll Failed', 'ask Success', 'ask TimedOut',
              'refused', 'delayed', 'left', 'left behind')
{
    cmp_ok($did{$what} // 0, '>', $total / 1000, "there were such: $what");
}

is($nginx->request('GET', '/codat/')->json->{waiters}, 0, 'nobody waits');
$_->close for $client, $mock;

$t->done;
