# The guides can be followed: nginx runs the configuration that a guide
# publishes, and each command in its "console guide" blocks does what is
# printed below it.

use strict;
use warnings;

use lib 't/lib';

use File::Temp ();
use JSON::PP ();
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

use CodatTest;
use CodatTest::Api;
use CodatTest::Docs;

my $top = CodatTest::top();
my $json = JSON::PP->new->utf8->canonical;
my %page = pages();
my %example = examples();

my $show = $ENV{GUIDES_SHOW};       # prints what came, to write a guide

delete @ENV{grep { /_proxy$/i } keys %ENV};
$ENV{HOME} = '/nonexistent';        # no .curlrc


# Codat's API: a moment after the answer to a push its webhook arrives, those
# of order-84 not before the test says so.  The second push of order-83 fails.

my $dir = File::Temp->newdir;
my $hooks = "$dir/hooks";       # arguments of codat-send
my $go = "$dir/go";

my %codat = map { my $scheme = $_;
    $scheme => CodatTest::Upstream->new(
        tls => $scheme eq 'https', handler => sub {
            return { headers => { 'Content-Type' => 'application/json' },
                     body => $json->encode(api($scheme, @_)) };
        })
} qw(http https);

sub api {
    my ($scheme, $request) = @_;

    return { status => 'Failed', errorMessage =>
             'The account code 200 is not a valid code.' }
        if $request->{method} eq 'GET';

    my ($type) = $request->{uri} =~ m{/push/(\w+)$};
    my $key = uuid();

    if ($scheme eq 'http' && !fork()) {
        my $good = $request->{body} !~ /"invoiceNumber":"order-83"/;

        my $held = $request->{body} =~ /Buyer order-84"/;
        my $until = time + slow(60);
        sleep(0.05) while $held && !-e $go && time < $until;
        sleep(0.2);
        open(STDOUT, '>', '/dev/null');
        exec($^X, "$top/tools/codat-send", split(/\n/, slurp($hooks)),
             '--push-key', $key, '--event',
             "$type.write." . ($good ? 'successful' : 'unsuccessful'),
             '--record-id', "$type-$request->{n}");
    }

    return { pushOperationKey => $key, dataType => $type,
             status => 'Pending' };
}


guide('guide-push.md', 'pushes');
guide('guide-connection.md', 'connections');

guide('guide-gate.md', 'gate', sub {
    my $at = shift;

    is(join(' ', map { $_->header('X-Push-Status') // () }
            $at->{app}->requests),
       'Success', 'the application is told how the push ended');
    is(scalar(grep { $_->{method} eq 'POST' } $codat{https}->requests), 1,
       'Codat got one push, the other one was held back');
});

guide('guide-lose-nothing.md', 'lose-nothing');

guide('guide-no-code.md', 'no-code');

guide('guide-pushes-in-a-row.md', 'pushes-in-a-row', sub {
    my $at = shift;

    my ($loop) = $page{'guide-pushes-in-a-row.md'} =~ /^```perl\n(.*?)^```/ms;
    my $program = slurp("$top/docs/examples/pushes-in-a-row.pl");
    isnt(index(join(' ', split(' ', $program)), join(' ', split(' ', $loop))),
         -1, 'the loop is that of the program');

    my @sent = map { "$_->{method} " . ($_->{uri} =~ m{/push/([a-z]+)$}
                                        ? $1 : 'reason') }
        $codat{http}->requests;
    is("@sent", 'POST customers POST invoices POST payments '
       . 'POST customers POST invoices GET reason',
       'nothing is pushed behind one that failed');

    my ($invoice, $payment) = map { $_->json } ($codat{http}->requests)[1, 2];
    is($invoice->{customerRef}{id}, 'customers-1', 'the id of the first push');
    is($payment->{lines}[0]{links}[0]{id}, 'invoices-2', 'and of the second');

    # the program bears a reload and a restart while it waits

    my $run = begin($at, 'perl pushes-in-a-row.pl 3c5d0f7e d27a94b0 order-84');
    ok(waits($at), 'it waits');
    ok($at->{nginx}->reload, 'reload');
    ok(waits($at), 'it waits again');
    ok($at->{nginx}->stop && $at->{nginx}->start, 'restart');
    ok(waits($at), 'and again');
    open(my $fh, '>', $go) or die "$go: $!\n";

    my ($said) = end($run);
    like($said, qr/^order-84: done$/m, 'it comes to its end') or diag($said);
});


# Calls that pass through nginx: this API sends its webhooks itself.

my $api = CodatTest::Api->new(secret => secret(), after => 0.3, bodies => {
    'Taxi' => 'final=Failed;key=5e8d2b70-94c1-4f6a-8d03-1b7fa6c2e915',
    'Flight' => 'after=3;key=b3f7c5a2-0d68-4e19-a4bd-7c90e2f1685d',
    'Hotel' => 'key=e4a07b1c-52d9-4c86-93fe-6d15c8b2704a;after=never',
    'Ferry' => 'key=91d5f3ae-7c20-4b6b-8e4f-a35b0c7d1e62',
    'Travel' => 'record=acct-1085',
    'Train' => 'record=direct-cost-17',
    'Lodging' => 'final=Failed',
    'Robin' => 'key=8a6f0c52-1d3b-4e97-b0c4-5f2e7d91a368;after=never',
    'Sparrow' => 'key=2c9b71e4-60ad-4f38-9e15-d8036b7fa249;after=never',
});

guide('guide-push-and-wait.md', 'push-and-wait', sub {
    my $at = shift;

    is(scalar(grep { $_->header('prefer') || $_->header('x-codat-reference') }
              $api->requests), 0, 'what is for nginx stays there');
    ok(!(grep { $_->header('authorization') ne 'Basic Q09EQVRfQVBJX0tFWQ==' }
         $api->requests), "and the application's key goes to Codat");
}, api => $api);

guide('guide-dependent-pushes.md', 'dependent-pushes', sub {
    my $at = shift;

    my ($function) = $page{'guide-dependent-pushes.md'}
        =~ /^```perl\n(.*?)^```/ms;
    my $program = slurp("$top/docs/examples/dependent-pushes.pl");
    isnt(index(join(' ', split(' ', $program)),
               join(' ', split(' ', $function))),
         -1, 'the function is that of the program');

    my %n;
    $n{$_}++ for map { "$_->{method} "
        . ($_->{uri} =~ m{/push/(accounts|suppliers|bills|directCosts)}
           ? $1 : 'reason') } $api->requests;
    is_deeply(\%n, { 'POST accounts' => 3, 'POST directCosts' => 2,
                     'PUT suppliers' => 2, 'POST bills' => 1,
                     'GET reason' => 1 }, 'nothing behind one that failed');

    my @costs = map { $_->json } grep { $_->{uri} =~ /directCosts/ }
        $api->requests;
    is(join(' ', map { $_->{lineItems}[0]{accountRef}{id} } @costs),
       'acct-1085 acct-1085', 'the id of the account');
}, api => $api);

guide('guide-stop-polling.md', 'stop-polling', sub {
    my $at = shift;

    my @polls = grep { $_->{uri} =~ m{/push/[^/]+$} && $_->{method} eq 'GET' }
        $api->requests;
    is(scalar @polls, 1, 'of the polls one has reached Codat');
}, api => $api);

done_testing();


# guide($name, $example, $then, api => CodatTest::Api)

sub guide {
    my ($name, $example, $then, %opt) = @_;

    subtest $name => sub {
        my $text = $page{$name} // return fail("there is no $name");

        like($text, qr{\(examples/\Q$example\E\.conf\)}, 'links its example');

        my $app = CodatTest::Upstream->new(answer => {
            status => 200, body => "the application\n" });
        my $conf = $example{$example} // return fail("no $example.conf");

        # this one speaks http only, both ways

        if ($opt{api}) {
            $opt{api}->reset;
            $conf =~ s{https://api\.codat\.io}{http://api.codat.io}g;
            $conf =~ s{(listen +443 ssl;)}{$1 listen 127.0.0.1:{{port5}};};
            $conf =~ s{/etc/ssl/certs/ca-certificates\.crt}
                      {{{prefix}}/conf/tls/internal-ca.crt};
        }

        my $nginx = prepare($conf, address => {
            '127.0.0.1:8081' => $app->address,
            'api.codat.io' => ($opt{api} // $codat{https})->address });
        $nginx->file('html/relink.html', "Please connect again.\n");
        $nginx->start;

        my $prefix = $nginx->prefix;
        open(my $fh, '>', $hooks) or die "$hooks: $!\n";
        print $fh join("\n", '--ca', "$prefix/conf/tls/hooks.example.com.crt",
            '--secret', secret(),
            'https://localhost:' . $nginx->port(2) . '/webhooks/codat');
        close($fh);

        $opt{api}->set(webhook => 'http://127.0.0.1:' . $nginx->port(5)
                       . '/webhooks/codat') if $opt{api};

        my $at = { nginx => $nginx, app => $app, n => 0,
                   api => "http://127.0.0.1:" . $nginx->port(4)
                          . '/codat-api' };
        follow($text, $at);
        $then->($at) if $then;

        ok($nginx->stop, 'nginx stops');
        no_bad_log($nginx);
    };
}


# all blocks of a page, in order.  A block "hold" is finished after the next
# one: its request waits for what that does.

sub follow {
    my ($text, $at) = @_;

    my ($held, $blocks);

    while ($text =~ /^```(console|json) guide ?([^\n]*)\n(.*?)^```$/msg) {
        my ($kind, $option, $block) = ($1, $2, $3);
        $blocks++;

        if ($kind eq 'json') {
            forwarded($at, $option, $block);
            next;
        }

        my @commands = commands($block);

        if ($option eq 'hold') {
            $_->{run} = begin($at, $_->{command}) for @commands;
            ok(waits($at), 'a request waits');
            $held = \@commands;
            next;
        }

        for my $c (@commands) {
            compare($at, $c, end(begin($at, $c->{command})));
        }

        if ($held) {
            my $before = time;
            compare($at, $_, end($_->{run})) for @$held;
            cmp_ok(time - $before, '<', slow(2), 'the request did not wait longer');
            undef $held;
        }
    }

    cmp_ok($blocks, '>', 3, 'has blocks');
}


# "$ command" with what is below it

sub commands {
    my $block = shift;

    my @commands;
    while ($block =~ /\G[\$#] ((?:[^\n]*\\\n)*[^\n]*)\n((?:(?![\$#] ).*\n)*)/gc)
    {
        push @commands, { command => $1, printed => $2 };
    }

    die "not a command:\n", substr($block, pos($block) // 0), "\n"
        if (pos($block) // 0) < length $block;

    return @commands;
}


sub begin {
    my ($at, $command) = @_;

    my $nginx = $at->{nginx};

    if ($command =~ /^nginx -s reload|^systemctl reload/) {
        return { done => $nginx->reload ? '' : 'not reloaded' };
    }

    if ($command =~ /^systemctl restart nginx/) {
        return { done => $nginx->stop && $nginx->start ? ''
                 : 'not restarted' };
    }

    my ($web, $local) = ($nginx->port(2), $nginx->port(4));
    my $ca = $nginx->prefix . '/conf/tls/hooks.example.com.crt';

    for ($command) {
        s{https://hooks\.example\.com}{https://localhost:$web}g;
        s{http://127\.0\.0\.1:8080}{http://127.0.0.1:$local}g;
        s{/var/lib/codat/}{$at->{nginx}->prefix . '/conf/codat/'}ge;
        s{\bcodat-send\b}{$^X $top/tools/codat-send --ca $ca};
        s{\bcurl\b}{curl -q -w '\\n%{http_code}'};
        s{\bperl (?=[\w-]+\.pl\b)}{$^X $top/docs/examples/};
    }

    my $file = $nginx->prefix . '/output-' . $at->{n}++;
    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        chdir($nginx->prefix . '/conf/codat') or POSIX::_exit(126);
        open(STDIN, '<', '/dev/null');
        open(STDOUT, '>', $file);
        open(STDERR, '>&', \*STDOUT);
        $ENV{CODAT_API} = $command =~ /pushes-in-a-row/
            ? 'http://' . $codat{http}->address : $at->{api};
        $ENV{CURL_CA_BUNDLE} = $ca;
        $ENV{CODAT_STATUS} = "http://127.0.0.1:$local/codat";
        { no warnings; exec('sh', '-c', $command); }
        POSIX::_exit(127);
    }

    return { pid => $pid, file => $file };
}


# true as soon as nginx has a request that waits

sub waits {
    my $at = shift;

    my $client = CodatTest::Client->new(port => $at->{nginx}->port(4));

    for (1 .. 500) {
        return 1 if $client->request('GET', '/codat/')->json->{waiters};
        sleep(0.02);
    }

    return 0;
}


# what a command printed, and the HTTP status that curl has appended

sub end {
    my $run = shift;

    return ($run->{done}, '') if exists $run->{done};

    waitpid($run->{pid}, 0);
    my $said = slurp($run->{file});
    my $status = $said =~ s/\n(\d{3})\z// ? $1 : '';

    return ($said, $status);
}


sub compare {
    my ($at, $c, $said, $status) = @_;

    my $title = $c->{command} =~ s/\\\n\s*//gr;
    $title =~ s{https?://[^/]+/}{/};

    my $printed = $c->{printed};
    my $name = substr($title, 0, 100);

    if ($show) {
        diag("\$ $title\n$said\n");
        return;
    }

    # the head of an answer (curl -i): each printed header is there

    if ($printed =~ s{\A(HTTP/1\.1 .*)\n((?:[\w-]+: .*\n)*)\n?}{}) {
        my ($line, @headers) = ($1, split(/\n/, $2));
        $said =~ s/\A(.*?\r\n)\r\n//s;
        my $head = ($1 // '') =~ s/\r//gr;
        is($head =~ /\A(.*?) *\n/ ? $1 : '', $line, "$name: status");

        for my $header (@headers) {
            my $pattern = join('.*', map { quotemeta }
                               split(/\S*…/, $header, -1));
            like($head, qr/^$pattern$/mi, "$name: $header");
        }

    } elsif ($status ne '') {
        is($status, $printed =~ /"status":(\d+)/ ? $1 : 200, "$name: status");
    }

    # codat-send: a line, and the answer below it

    if ($printed =~ s/\A(\d{3} .*?  \S+)  .*\n//) {
        my $line = $1;
        $said =~ s/\A(.*)\n//;
        like($1 // '', qr/^\Q$line\E  msg_\w+  [\d.]+ ms$/, "$name: line");
    }

    matches($said, $printed, $name);
}


# a forward: the last one that the application has got

sub forwarded {
    my ($at, $uri, $printed) = @_;

    my @got = $at->{app}->requests;

    if ($show) {
        diag("$got[-1]{method} $got[-1]{uri}\n$got[-1]{body}");
        return;
    }

    is($got[-1]{uri}, $uri, "$uri: the forward");
    matches($got[-1]{body}, $printed, $uri);
}


sub matches {
    my ($said, $printed, $name) = @_;

    if ($printed !~ /\A\{/) {
        my $pattern = join('.*?', map { quotemeta }
                           split(/\S*…/, $printed, -1));
        like($said, qr/\A$pattern\s*\z/, $name);
        return;
    }

    my ($got, $want) = map { eval { $json->decode($_) } } $said, $printed;

    return fail("$name: not JSON\n$said\n$printed") if !$got || !$want;

    level($got, $want);
    is_deeply($got, $want, $name) or diag($said);
}


# makes equal what may differ: times, and values that the guide shortens, "…"

sub level {
    my ($got, $want) = @_;

    my $time = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

    if (ref $want eq 'ARRAY' && ref $got eq 'ARRAY') {
        level_one(\$got->[$_], \$want->[$_], $time) for 0 .. $#$want;

    } elsif (ref $want eq 'HASH' && ref $got eq 'HASH') {
        level_one(\$got->{$_}, \$want->{$_}, $time)
            for grep { exists $got->{$_} } keys %$want;
    }
}


sub level_one {
    my ($got, $want, $time) = @_;

    return unless defined $$want && defined $$got;

    if (!ref $$want && $$want =~ /\x{2026}/) {
        $$got = $$want;

    } elsif (ref $$want) {
        level($$got, $$want);

    } elsif ($$got =~ $time && $$want =~ $time) {
        $$got = $$want;
    }
}
