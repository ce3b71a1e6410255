"""Checks of readings and charges: once a slot, at the published price, nothing orphaned.

Rules of a household or site may change between a charge and the audit; then what ever held
(current or in its history) is accepted, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.backends.base.base import BaseDatabaseWrapper

from accounts.audit import check
from accounts.audit.checks import sentences


@check(invariant=3, subject="reading")
def readings_do_not_overlap(database: BaseDatabaseWrapper) -> Iterator[str]:
    """No instant of a meter was read twice; the same slot twice is the plainest case."""
    return sentences(
        database,
        """
        SELECT format('site %s, meter %s: the reading of %s begins before the one before it ends',
                      site_id, meter_id, starts_at)
        FROM (
            SELECT site_id, meter_id, starts_at, lag(ends_at) OVER (
                PARTITION BY site_id, meter_id ORDER BY starts_at, ends_at) AS last_ends_at
            FROM reading
        ) r WHERE starts_at < last_ends_at
        """,
    )


@check(invariant=3, subject="charge")
def charges_once(database: BaseDatabaseWrapper) -> Iterator[str]:
    """Every (site, meter, slot) is charged at most once."""
    return sentences(
        database,
        """
        SELECT format('site %s, meter %s: the slot of %s is charged %s times', site_id, meter_id,
                      starts_at, count(*))
        FROM charge GROUP BY site_id, meter_id, starts_at HAVING count(*) > 1
        """,
    )


@check(invariant=3, subject="reading")
def readings_are_charged(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A reading of a household's meter has its charge, to that household; no other has one."""
    return sentences(
        database,
        """
        SELECT format('site %s, meter %s, slot of %s: %s', x.site_id, x.meter_id, x.starts_at, CASE
            WHEN x.was_read IS NULL THEN 'charged without a reading'
            WHEN x.charged IS NULL THEN format('household %s is not charged', a.household_id)
            WHEN a.household_id IS NULL THEN 'charged, but the meter was nobody''s'
            WHEN a.household_id <> x.household_id
                THEN format('household %s is charged for household %s', x.household_id,
                            a.household_id)
            ELSE format('read %s mWh in batch %s, charged %s in batch %s', x.was_read,
                        x.reading_batch_id, x.charged, x.charge_batch_id) END)
        FROM (
            SELECT site_id, starts_at, meter_id, c.household_id,
                r.energy_milliwatt_hours AS was_read, r.batch_id AS reading_batch_id,
                c.energy_milliwatt_hours AS charged, c.batch_id AS charge_batch_id
            FROM reading r FULL JOIN charge c USING (site_id, starts_at, meter_id)
        ) x
        LEFT JOIN settlement_meter m ON m.id = x.meter_id AND m.role = 'household'
        LEFT JOIN settlement_meterassignment a ON a.meter_id = m.id AND a.validity @> x.starts_at
        WHERE x.was_read IS NULL OR a.household_id IS DISTINCT FROM x.household_id
            OR x.was_read <> x.charged OR x.reading_batch_id <> x.charge_batch_id
        """,
    )


@check(invariant=3, subject="charge")
def charges_at_the_published_price(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A charge is energy x the last price published for its slot, or for a slot before it, by the
    time of the batch; a priority household pays the reference at most."""
    return sentences(
        database,
        """
        WITH tier AS (
            SELECT id, bool_or(tier = 'priority') AS was_priority,
                bool_or(tier <> 'priority') AS was_other
            FROM (SELECT id, tier FROM accounts_household
                  UNION ALL SELECT id, tier FROM accounts_historicalhousehold) t
            GROUP BY id
        ), slot AS MATERIALIZED (
            SELECT s.site_id, s.starts_at, s.batch_id, p.id AS price_id,
                p.wei_per_kwh / 1000000 AS full_price,
                least(p.wei_per_kwh, p.reference_wei_per_kwh) / 1000000 AS priority_price
            FROM (SELECT DISTINCT site_id, starts_at, batch_id FROM charge) s
            LEFT JOIN settlement_settlementbatch b ON b.id = s.batch_id
            LEFT JOIN LATERAL (
                SELECT * FROM settlement_price p
                WHERE p.site_id = s.site_id AND p.starts_at <= s.starts_at
                    AND p.published_at <= b.settled_at
                ORDER BY p.starts_at DESC, p.revision DESC LIMIT 1
            ) p ON true
        )
        SELECT format('site %s, meter %s, slot of %s: %s wei for %s mWh at %s (price %s); '
                      'published were %s (price %s), %s for priority',
                      c.site_id, c.meter_id, c.starts_at,
                      c.amount_wei, c.energy_milliwatt_hours, c.wei_per_milliwatt_hour, c.price_id,
                      slot.full_price, slot.price_id, slot.priority_price)
        FROM charge c
        JOIN slot ON slot.site_id = c.site_id AND slot.starts_at = c.starts_at
            AND slot.batch_id = c.batch_id
        LEFT JOIN tier ON tier.id = c.household_id
        WHERE c.price_id IS DISTINCT FROM slot.price_id
            OR c.amount_wei <> c.energy_milliwatt_hours::numeric * c.wei_per_milliwatt_hour
            OR NOT coalesce(
                (tier.was_other AND c.wei_per_milliwatt_hour = slot.full_price)
                OR (tier.was_priority AND c.wei_per_milliwatt_hour = slot.priority_price), false)
        """,
    )


@check(invariant=3, subject="charge")
def late_charges_are_marked(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A charge is late exactly where its reading came later than the site allows."""
    return sentences(
        database,
        """
        WITH allowed AS (
            SELECT id AS site_id, make_interval(days => min(days)) AS shortest,
                make_interval(days => max(days)) AS longest
            FROM (SELECT id, late_reading_days AS days FROM accounts_site
                  UNION ALL SELECT id, late_reading_days FROM accounts_historicalsite) d
            GROUP BY id
        )
        SELECT format('site %s, meter %s, slot of %s: received at %s, marked %s', c.site_id,
                      c.meter_id, c.starts_at, r.received_at,
                      CASE WHEN c.is_late THEN 'late' ELSE 'on time' END)
        FROM charge c
        JOIN reading r USING (site_id, starts_at, meter_id)
        JOIN allowed a USING (site_id)
        WHERE CASE WHEN c.is_late THEN r.received_at <= r.ends_at + a.shortest
              ELSE r.received_at > r.ends_at + a.longest END
        """,
    )


@check(invariant=6, subject="charge")
def only_solar_energy_mints(database: BaseDatabaseWrapper) -> Iterator[str]:
    """The minting energy is all of a charge's, or the plant's solar share of its slot, rounded
    down."""
    return sentences(
        database,
        """
        SELECT format('site %s, meter %s, slot of %s: %s of %s mWh mint, the solar share is %s bp',
                      c.site_id, c.meter_id, c.starts_at, c.minting_milliwatt_hours,
                      c.energy_milliwatt_hours, t.solar_share_basis_points)
        FROM charge c
        LEFT JOIN settlement_slottelemetry t
            ON t.site_id = c.site_id AND t.starts_at = c.starts_at
        WHERE c.minting_milliwatt_hours <> c.energy_milliwatt_hours
            AND c.minting_milliwatt_hours IS DISTINCT FROM
                div(c.energy_milliwatt_hours::numeric * t.solar_share_basis_points, 10000)
        """,
    )


@check(invariant=3, subject="reading")
def readings_name_known_rows(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A reading's meter and batch exist and are of its site."""
    return sentences(
        database,
        """
        SELECT format('reading %s of site %s, slot of %s: meter %s or batch %s is not of the site',
                      r.id, r.site_id, r.starts_at, r.meter_id, r.batch_id)
        FROM reading r
        LEFT JOIN settlement_meter m ON m.id = r.meter_id AND m.site_id = r.site_id
        LEFT JOIN settlement_settlementbatch b ON b.id = r.batch_id AND b.site_id = r.site_id
        WHERE m.id IS NULL OR b.id IS NULL
        """,
    )


@check(invariant=3, subject="charge")
def charges_name_known_rows(database: BaseDatabaseWrapper) -> Iterator[str]:
    """A charge's meter, batch and price exist and are of its site; its household exists."""
    return sentences(
        database,
        """
        SELECT format('charge %s of site %s, slot of %s: meter %s, batch %s, price %s or '
                      'household %s is unknown or of another site', c.id, c.site_id, c.starts_at,
                      c.meter_id, c.batch_id, c.price_id, c.household_id)
        FROM charge c
        LEFT JOIN settlement_meter m ON m.id = c.meter_id AND m.site_id = c.site_id
        LEFT JOIN settlement_settlementbatch b ON b.id = c.batch_id AND b.site_id = c.site_id
        LEFT JOIN settlement_price p ON p.id = c.price_id AND p.site_id = c.site_id
        LEFT JOIN accounts_household h ON h.id = c.household_id
        WHERE m.id IS NULL OR b.id IS NULL OR p.id IS NULL OR h.id IS NULL
        """,
    )


CHECKS = (
    readings_do_not_overlap,
    charges_once,
    readings_are_charged,
    charges_at_the_published_price,
    late_charges_are_marked,
    only_solar_energy_mints,
    readings_name_known_rows,
    charges_name_known_rows,
)
