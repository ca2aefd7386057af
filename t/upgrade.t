# Another binary takes over, and gives back: each of the two masters has a
# zone of its own, and somebody serves all the time.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Crowd;
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);


# A master takes no other binary, nor sends its workers away, unless it is a
# daemon.

{
    package Daemon;

    our @ISA = ('CodatTest::Nginx');

    sub _write_conf {
        my $self = shift;

        $self->SUPER::_write_conf;

        my $text = CodatTest::Nginx::_read_from(
            "$self->{prefix}/conf/nginx.conf", 0);
        $self->file('conf/nginx.conf', $text =~ s/daemon off/daemon on/r);
    }

    sub _spawn {
        my $self = shift;

        my $pid = fork() // die "fork: $!\n";

        if (!$pid) {
            open(STDIN, '<', '/dev/null');
            open(STDOUT, '>>', "$self->{prefix}/logs/stderr.log");
            open(STDERR, '>&', \*STDOUT);
            exec($self->_command) or POSIX::_exit(127);
        }

        waitpid($pid, 0);

        $self->_wait_until(sub { -s "$self->{prefix}/logs/nginx.pid" });
        ($self->{pid}) = CodatTest::Nginx::_read_from(
            "$self->{prefix}/logs/nginx.pid", 0) =~ /(\d+)/;
        delete $self->{status};
    }

    sub _reap {
        my $self = shift;

        $self->{status} //= 0 if !main::alive($self->{pid});

        return defined $self->{status};
    }
}


my %headers = (Authorization => 'Bearer sesame',
               'Content-Type' => 'application/json');

my $key = uuid();
my $final = body('bills.write.successful', push_key => $key);
my $nginx;


sub deliver {
    my $response = $nginx->request('POST', '/hook',
        { %headers, 'webhook-id' => $_[0] }, $final);

    return $response ? $response->status . ' '
        . (eval { $response->json->{result} } // '') : 'none';
}


sub status_of {
    my $response = $nginx->request('GET', "/codat/pushes/$key");

    return !$response ? 'none' : $response->status != 200 ? $response->status
        : $response->json->{status};
}


# nobody may wait for those whose parent has gone

sub alive {
    my $pid = shift;

    open(my $fh, '<', "/proc/$pid/stat") or return 0;

    return (readline($fh) // '') !~ /^\d+ \(.*\) Z /;
}


sub until_true {
    my $condition = shift;

    my $until = time + slow(10);
    while (time < $until) {
        return 1 if $condition->();
        sleep(0.02);
    }

    return 0;
}


sub pid_in {
    my $name = shift;

    open(my $fh, '<', $nginx->prefix . "/logs/$name") or return;
    my $pid = readline($fh);
    chomp($pid) if $pid;

    return $pid;
}


# the workers of a master that are not on their way out

sub workers_of {
    my $master = shift;

    local $nginx->{pid} = $master;

    # the new master is a child of the old one

    my %master = map { $_ => 1 } grep { defined }
        map { pid_in($_) } qw(nginx.pid nginx.pid.oldbin);

    return grep { !$master{$_} } $nginx->pids;
}


sub end_master {
    my ($pid, $signal) = @_;

    kill($signal, $pid);

    return until_true(sub { !alive($pid) });
}


sub upgrade {
    my $old = shift;

    kill('USR2', $old);

    my $new;
    ok(until_true(sub {
        $new = pid_in('nginx.pid');
        return $new && $new != $old && workers_of($new) >= $nginx->{workers};
    }), 'the new master has its workers');

    is(pid_in('nginx.pid.oldbin'), $old, 'the old one is still there');

    return $new;
}


my $load = sub {
    my $seconds = shift;
    my $end = time + slow($seconds);

    return CodatTest::Crowd->new(2, sub {
        my $number = shift;
        my ($n, %answers) = (0);

        while (time < $end) {
            $answers{deliver("load-$$-" . ++$n)}++;
            sleep(0.002);
        }

        return \%answers;
    });
};


sub start {
    my ($class, %opt) = @_;

    # a master runs what it was called by, and looks nowhere for it

    my $binary = $ENV{TEST_NGINX_BINARY} || 'nginx';
    ($binary) = grep { -x } map { "$_/$binary" }
        split(/:/, $ENV{PATH}), '/usr/sbin'
        if $binary !~ m{/};

    $nginx = $class->new(level => 'notice', binary => $binary, %opt, conf => {
        http => 'codat_zone zone=codat:16m; codat_credential bearer sesame;',
        server => 'location = /hook { codat_webhook zone=codat; }
                   location /codat/ { codat_status zone=codat; }'
            . ($opt{server} // ''),
    })->start;
}


# what a failure leaves

END {
    my $status = $?;

    for my $name ($nginx ? qw(nginx.pid nginx.pid.oldbin) : ()) {
        my $pid = pid_in($name);
        kill('KILL', workers_of($pid), $pid) if $pid && alive($pid);
    }

    $? = $status;
}


subtest 'forward, and there' => sub {
    start('Daemon', workers => 2);

    my $old = $nginx->pid;

    is(deliver('first'), '200 accepted', 'a webhook');
    is(status_of(), 'Success', 'its push');

    my $crowd = $load->(4);
    my $new = upgrade($old);

    # either of the two takes a connection

    my %seen;
    $seen{status_of()}++ for 1 .. 60;
    is_deeply([grep { !/^(?:Success|404)$/ } keys %seen], [],
              'both of them serve');

    kill('WINCH', $old);
    ok(until_true(sub { !workers_of($old) }), 'the old workers go');

    # the load may have told the new one of this push: ask for the delivery
    is(deliver('first'), '200 accepted', 'the new zone began empty');
    is(deliver('first'), '200 duplicate', 'and remembers now')
        for 1 .. 6;

    ok(end_master($old, 'QUIT'), 'the old master goes');
    is(status_of(), 'Success', 'the new one serves alone');

    for my $answers ($crowd->results) {
        is_deeply([sort keys %$answers], ['200 accepted'],
                  'every webhook was accepted meanwhile')
            or diag(explain($answers));
    }

    # it reloads, and keeps its zone

    $nginx->{pid} = $new;
    ok($nginx->reload, 'the new master reloads');
    is(deliver('first'), '200 duplicate', 'the zone is the same');
    is_deeply([$nginx->error_log(all => 1) =~ /exited on signal.*/g], [],
              'no worker died');

    ok(end_master($new, 'QUIT'), 'and ends');
    delete $nginx->{pid};
    no_bad_log($nginx);
};


subtest 'and back' => sub {
    start('Daemon', workers => 2);

    my $old = $nginx->pid;

    is(deliver('first'), '200 accepted', 'a webhook');

    my $crowd = $load->(4);
    my $new = upgrade($old);

    kill('WINCH', $old);
    ok(until_true(sub { !workers_of($old) }), 'the old workers go');
    is(deliver('second'), '200 accepted', 'a webhook for the new ones');

    # it was no good

    kill('HUP', $old);
    ok(until_true(sub { workers_of($old) >= 2 }), 'the old master again');
    kill('WINCH', $new);
    ok(until_true(sub { !workers_of($new) }), 'the new workers go');
    ok(end_master($new, 'QUIT'), 'and so does their master');
    ok(until_true(sub { (pid_in('nginx.pid') // 0) == $old }),
       'the old one has its place');

    is(deliver('first'), '200 duplicate', 'the old zone is as it was')
        for 1 .. 4;
    is(deliver('second'), '200 accepted', 'it knows nothing of the other');
    is(status_of(), 'Success', 'its push');

    for my $answers ($crowd->results) {
        is_deeply([sort keys %$answers], ['200 accepted'],
                  'every webhook was accepted meanwhile')
            or diag(explain($answers));
    }

    ok($nginx->stop, 'it ends');
    is_deeply([$nginx->error_log(all => 1) =~ /exited on signal.*/g], [],
              'no worker died');
    no_bad_log($nginx);
};


subtest 'one process' => sub {
    start('CodatTest::Nginx', master => 0);

    is(deliver('one'), '200 accepted', 'a webhook');
    is(deliver('one'), '200 duplicate', 'its copy');
    is(status_of(), 'Success', 'its push');

    # HUP is nothing to ask of it: no nginx serves after that in this mode

    ok($nginx->stop, 'it ends');
    no_bad_log($nginx);
};


subtest 'consumers of a zone without a store: those of each master' => sub {
    start('Daemon', workers => 1, server => 'location /hooks/ {
        codat_consumers zone=codat deliver=@out; }
        location @out { proxy_pass http://127.0.0.1:1; }');

    my $old = $nginx->pid;
    my $stores = sub { map { m{([0-9a-f]{16})-used$} }
                       glob($nginx->prefix . '/temp/client_body/*') };
    my ($first) = $stores->();

    my $new = upgrade($old);
    is(scalar($stores->()), 2, 'the new one has its own');

    kill('WINCH', $old);
    ok(until_true(sub { !workers_of($old) }), 'the old workers go');
    ok(end_master($old, 'QUIT'), 'and the old master');
    my @left = $stores->();
    is(scalar @left, 1, 'with theirs');
    isnt($left[0], $first, 'not that of the new one');

    $nginx->{pid} = $new;
    is($nginx->request('POST', '/hooks/webhooks/integrationKeys/zapier', {},
                       '')->status, 201, 'which serves');

    ok(end_master($new, 'QUIT'), 'it ends');
    is(scalar($stores->()), 0, 'with its own');
    delete $nginx->{pid};
    no_bad_log($nginx);
};


done_testing();
