# What happens to a store: a disk that is full, broken or read-only, a lock
# that another program holds, a database that is damaged, cut off, gone, or
# newer than the module.  As long as it lasts, webhooks are answered 503 and
# nginx serves; then it goes on by itself, and nothing that was answered 2xx
# is lost.

use strict;
use warnings;

use lib 't/lib';
use CodatTest;
use CodatTest::Faults;
use CodatTest::Upstream;
use File::Copy qw(copy);
use IO::Handle ();
use Test::More;
use Time::HiRes qw(time sleep);


my $app = CodatTest::Upstream->new(answer => { status => 204 });
my $nginx = CodatTest::Nginx->new(level => 'info', workers => 2, conf => {
    http => 'codat_zone zone=codat:2m store=sqlite:{{prefix}}/codat.db;'
        . ' codat_credential bearer sesame; codat_retry 1s 1s 1s 1s 1s 1s;',
    server => "location /codat/ { codat_status zone=codat; }"
        . " location /app/ { internal; proxy_pass http://@{[$app->address]}; }"
        . " location = /hook { codat_webhook zone=codat;"
        . " codat_forward * /app/; }" });
my $path = $nginx->prefix . '/codat.db';
my $faults = CodatTest::Faults->new;

my ($number, %answered, %refused) = (0);
my $other;                      # a program that holds a lock


sub start { $faults ? $faults->start($nginx) : $nginx->start }


# sends a webhook without waiting for the answer

sub post {
    my $id = shift // 'msg_' . ++$number;

    my $client = $nginx->client(timeout => 20);
    $client->send($client->build('POST', '/hook',
        { Authorization => 'Bearer sesame', 'webhook-id' => $id,
          'Content-Type' => 'application/json', Connection => 'close' },
        body('items.write.successful', push_key => uuid())));

    return [$id, $client];
}


sub answer {
    my ($id, $client) = @{$_[0]};

    my $response = $client->read_response(timeout => 20);
    my $status = $response ? $response->status : 0;

    if ($status =~ /^2/) {
        $answered{$id} = $status;
        delete $refused{$id};

    } else {
        $refused{$id} = 1;
    }

    return $response;
}


sub health {
    my $begin = time;
    my $response = $nginx->request('GET', '/codat/health');

    return ($response ? $response->status : 0, time - $begin);
}


sub sql {
    my $text = qx(sqlite3 $path "$_[0]" 2>&1);
    chomp $text;

    return $text;
}


# begin => sub, end => sub, log => qr/what the operator is told/,
# seconds => how long it lasts, keeps => 1: health stays 200

sub suffers {
    my ($title, %opt) = @_;

    return subtest $title => sub {
        is(answer(post())->status, 202, 'before');
        $nginx->mark;
        $opt{begin}->();

        my (@posts, @times, %statuses);
        my $begin = time;
        my $until = $begin + ($opt{seconds} // 2.2);
        while (time < $until) {
            push @posts, post();
            my ($status, $seconds) = health();
            $statuses{$status}++;
            push @times, $seconds;
            sleep(0.1);
        }
        my @answers = map { answer($_) } @posts;
        my $lasted = time - $begin;
        $opt{end}->();

        my @codes = map { $_ ? $_->status : 0 } @answers;
        is(join(' ', grep { $_ != 503 } @codes), '', 'all are refused');
        is(scalar(grep { ($_->header('Retry-After') // '') eq '5'
                         && $_->json->{code} eq 'unavailable' }
                  grep { $_ } @answers),
           scalar @answers, 'with Retry-After, as unavailable');

        # one of them, at most, may have had a bad time of its own
        @times = sort { $b <=> $a } @times;
        cmp_ok($times[1], '<', slow(0.1), 'health is answered at once');
        ok($statuses{503}, 'and says so')
            or diag(explain(\%statuses)) if !$opt{quiet};

        my @lines = grep { /\[crit\]/ } split /\n/, $nginx->error_log;
        like($lines[0] // '', $opt{log}, 'the log says what is wrong');
        # so many seconds of the clock there can be in it
        cmp_ok(scalar @lines, '<=', int($lasted) + 2, 'once a second at most');

        my $back = time + slow(5);
        my $status = 0;
        while (time < $back && $status != 202) {
            my $response = answer(post());
            $status = $response ? $response->status : 0;
            sleep(0.1) if $status != 202;
        }
        is($status, 202, 'it goes on by itself');
        is((health())[0], 200, 'it is healthy');
        is(sql('PRAGMA integrity_check'), 'ok', 'the database is sound');
    };
}


start();

SKIP: {
    skip 'no LD_PRELOAD here' if !$faults;

    my %broken = (
        'write ENOSPC' => qr/\Q$path\E" of zone "codat" failed: .*disk is full/,
        'write EIO' => qr/failed: disk I\/O error \(.*see if its disk is full, /,
        'sync EIO' => qr/failed: disk I\/O error \(.*see if its disk is full, /,
        'write EROFS' => qr/failed: (?:disk I\/O error|attempt to write a rea)/,
    );

    for my $fault (sort keys %broken) {
        suffers($fault, log => $broken{$fault},
                begin => sub { $faults->set($fault) },
                end => sub { $faults->clear });
    }

    # what is open stays open, unless another file is in its place

    for my $fault (qw(EROFS EACCES)) {
        suffers("open $fault",
                begin => sub {
                    backup();
                    $faults->set("open $fault");
                    replace("$path.backup");
                },
                log => qr/failed: it can't be opened \(\d+: .*: the user of the/,
                end => sub { $faults->clear });
    }
}


suffers('another program holds the lock', seconds => 7,
    begin => sub {
        open($other, '|-', 'sqlite3', $path) or die "sqlite3: $!\n";
        $other->autoflush(1);
        print $other "BEGIN EXCLUSIVE;\n.shell touch $path.held\n";
        my $until = time + slow(10);
        sleep(0.02) while time < $until && !-e "$path.held";
    },
    log => qr/failed: database is locked \(5\): another program holds it/,
    end => sub { print $other "ROLLBACK;\n"; close($other) });


# damage, of a file that is put in the place of the database, and back

sub backup {
    unlink("$path.backup");
    is(sql(".backup $path.backup"), '', 'a backup is made');
}


# -wal and -shm belong to the file that they were made with

sub replace {
    my $from = shift;

    copy($from, "$path.new") or die "$from: $!\n";
    unlink("$path-wal", "$path-shm");
    rename("$path.new", $path) or die "$path: $!\n";
}


sub spoil {
    my ($offset, $bytes) = @_;

    open(my $fh, '+<:raw', "$path.bad") or die "$path.bad: $!\n";
    seek($fh, $offset, 0);
    print $fh $bytes;
    close($fh);
}


sub damaged {
    my ($title, $how, $log) = @_;

    suffers($title, log => $log,
        begin => sub {
            backup();
            copy("$path.backup", "$path.bad");
            $how->();
            replace("$path.bad");
        },
        end => sub { replace("$path.backup") });
}


damaged('it is no database', sub { spoil(0, 'X' x 4096) },
        qr/failed: file is not a database \(26\): put a backup in its place/);
damaged('half of it is missing',
        sub { truncate("$path.bad", (-s "$path.bad") / 2) },
        qr/failed: database disk image is malformed \(\d+\): put a backup in/);
damaged('pages of it are damaged',
        sub { spoil(4096 * $_, 'X' x 4096) for 1 .. (-s "$path.bad") / 4096 },
        qr/failed: database disk image is malformed \(\d+\): put a backup in/);
damaged('it is empty', sub { truncate("$path.bad", 0) },
        qr/failed: it is empty: put a backup in its place, or reload nginx/);
damaged('it is of another program',
        sub { system('sqlite3', "$path.bad", 'PRAGMA application_id = 1') },
        qr/failed: it is a database of another program/);
damaged('it is of a newer version',
        sub { system('sqlite3', "$path.bad", 'PRAGMA user_version = 99') },
        qr/failed: it was written by a newer version of the module, which is/);

suffers('it is cut off while it is open', log => qr/malformed|is empty/,
    begin => sub {
        backup();
        sql('PRAGMA wal_checkpoint(TRUNCATE)');
        truncate($path, 4096 * 3);
    },
    end => sub { replace("$path.backup") });

suffers('it is gone', log => qr/failed: it can't be opened \(2: No such file/,
    begin => sub { backup(); rename($path, "$path.gone") or die },
    end => sub { rename("$path.gone", $path) or die });


subtest 'a log of writes that is damaged' => sub {
    is(answer(post())->status, 202, 'before');
    sleep(0.5);
    # nginx may be writing at this moment
    my $until = time + slow(5);
    my $said;
    until (($said = sql('PRAGMA wal_checkpoint(FULL)')) =~ /^0/) {
        last if time > $until;
        sleep(0.05);
    }
    like($said, qr/^0/, 'the database has it all');
    kill('KILL', $nginx->pid, $nginx->pids(all => 1));
    $nginx->stop;

    open(my $fh, '+<:raw', "$path-wal") or die "$path-wal: $!\n";
    my $size = -s $fh;
    cmp_ok($size, '>', 0, 'there is one');
    print $fh 'X' x $size;
    close($fh);

    start();
    is(answer(post())->status, 202, 'it goes on');
    is(sql('PRAGMA integrity_check'), 'ok', 'the database is sound');
};


subtest 'nothing is lost' => sub {
    for my $id (sort keys %refused) {
        my $response = answer(post($id));
        like($response && $response->status, qr/^20[02]$/,
             "$id, when Codat repeats it");
    }

    my %came;
    my $until = time + slow(40);
    while (time < $until) {
        %came = ();
        $came{scalar $_->header('webhook-id')}++ for $app->requests;
        last if !grep { !$came{$_} } keys %answered;
        sleep(0.2);
    }
    is(join(' ', grep { !$came{$_} } sort keys %answered), '',
       'what was answered 2xx was delivered');
    is(scalar keys %answered, $number, 'all were answered in the end');
};


is(sql('PRAGMA integrity_check'), 'ok', 'the database is sound');
ok($nginx->stop, 'nginx ends');
no_bad_log($nginx, except =>
    qr/ codat: store .* failed: |exited on signal 9|was locked by/);

done_testing;
