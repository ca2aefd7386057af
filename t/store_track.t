# Pushes that codat_track has seen, in a zone with a store: they are stored
# with their references, so that these are known when all of nginx has been
# killed meanwhile, and also if the store could not take them at first.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Faults;
use CodatTest::Track;
use CodatTest::Upstream;
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $t = CodatTest::Track->new(
    zone => 'zone=codat:4m store=sqlite:{{prefix}}/codat.db', workers => 2,
    api => { after => 'never' },
    server => <<"EOC");
        location /app/ { internal; proxy_pass http://@{[$app->address]}; }
        location = /queued { codat_webhook zone=codat;
                             codat_forward *.write.* /app/queued
                                           if=\$codat_reference; }
        location = /sync   { codat_webhook zone=codat delivery=sync;
                             codat_forward *.write.* /app/sync; }
EOC
my $nginx = $t->nginx;
my $path = $nginx->prefix . '/codat.db';


sub sql {
    my $text = qx(sqlite3 -readonly $path "$_[0]" 2>&1);
    chomp $text;

    return $text;
}


sub wait_sql {
    my ($sql, $want, $seconds) = @_;

    my $until = time + slow($seconds // 5);
    my $got = '';
    while (time < $until && $got ne $want) {
        $got = sql($sql);
        sleep(0.02) if $got ne $want;
    }

    return is($got, $want, $sql);
}


# kills all, starts again, and waits until the zone has what the store knows

sub crash {
    kill('KILL', $nginx->pid, $nginx->pids(all => 1));
    $nginx->stop;
    $nginx->mark->start;

    return ok($nginx->wait_log(qr/has what store/, 15), 'nginx is back');
}


sub webhook {
    my ($uri, $key) = @_;

    my $body = body('invoices.write.successful', push_key => $key,
                    company => $t->{company});

    return $nginx->request('POST', $uri,
        signed_headers($t->{secret}, $body)
        . "Content-Type: application/json\n", $body);
}


# the references that the application was sent with a push

sub references {
    my $key = shift;

    my $until = time + slow(5);
    my @found;
    while (time < $until && !@found) {
        @found = map { $_->{data}{reference} // '-' }
            grep { $_->{data}{pushOperationKey} eq $key }
            map { $_->json } $app->requests;
        sleep(0.02) if !@found;
    }

    return "@found";
}


subtest 'references survive a crash' => sub {
    my @keys = map {
        $t->push('', 'X-Codat-Reference' => "expense-$_")->{key}
    } 1 .. 3;
    wait_sql('SELECT count(*) FROM push', 3);
    is(sql("SELECT status, CAST(reference AS TEXT), company, data_type"
           . " FROM push WHERE id = '$keys[0]'"),
       "Pending|expense-1|$t->{company}|invoices", 'what is stored');

    crash();
    is($t->row($keys[0])->{reference}, 'expense-1', 'it is in the table');
    is($t->row($keys[0])->{status}, 'Pending', 'and pending');

    is(webhook('/queued', $keys[0])->status, 202, 'a queued webhook');
    is(references($keys[0]), 'expense-1', 'is delivered with it');
    is(webhook('/sync', $keys[1])->status, 200, 'one that is not queued');
    is(references($keys[1]), 'expense-2', 'too');

    # before the zone knows it
    kill('KILL', $nginx->pid, $nginx->pids(all => 1));
    $nginx->stop;
    $nginx->start;
    is(webhook('/sync', $keys[2])->status, 200, 'one that comes at once');
    is(references($keys[2]), 'expense-3', 'too');
};


subtest 'a webhook is no later than the reference' => sub {
    for my $n (1 .. 20) {
        my $reference = "quick-$n";
        my $key = $t->push('', 'X-Codat-Reference' => $reference)->{key};
        webhook($n % 2 ? '/queued' : '/sync', $key);
        is(references($key), $reference, $reference);
        wait_sql("SELECT CAST(reference AS TEXT) FROM push"
                 . " WHERE id = '$key'", $reference);
        is($t->row($key)->{reference}, $reference, 'and stays');
    }
};


subtest 'a reference while the store fails' => sub {
    my $faults = CodatTest::Faults->new;
    plan skip_all => 'no LD_PRELOAD here' if !$faults;

    $nginx->stop;
    $faults->start($nginx, $path);
    sleep(0.5);
    $faults->set('write EIO');
    my $key = $t->push('', 'X-Codat-Reference' => 'hard-1')->{key};
    is($t->row($key)->{reference}, 'hard-1', 'the table has it');
    sleep(3);
    is(sql("SELECT count(*) FROM push WHERE id = '$key'"), 0,
       'the store has not');
    $faults->clear;
    wait_sql("SELECT CAST(reference AS TEXT) FROM push WHERE id = '$key'",
             'hard-1', 10);
};


is(sql('PRAGMA integrity_check'), 'ok', 'the database is sound');
ok($nginx->stop, 'nginx ends');
no_bad_log($nginx, except => qr/exited on signal 9|was locked|store .* failed/);

done_testing;
