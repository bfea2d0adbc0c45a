"""Queries worth having: pages of the documentation and canned queries of Datasette are made of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """A SELECT that runs on SQLite and PostgreSQL, and the question that it answers."""

    name: str
    question: str
    sql: str


RECIPES = {
    "Photos": (
        Recipe(
            "dogs",
            "All photos that show a dog, of whatever breed, the surest first",
            """
SELECT path, score FROM image_tags WHERE category = 'dog' ORDER BY score DESC
""",
        ),
        Recipe(
            "one_class",
            "One class, but only where the model is fairly sure of it",
            """
SELECT path, score FROM top1 WHERE label = 'golden retriever' AND score >= 0.7 ORDER BY score DESC
""",
        ),
        Recipe(
            "among_three",
            "A class anywhere among the three best",
            """
SELECT path, rank, score FROM results WHERE label = 'espresso' ORDER BY rank, score DESC
""",
        ),
        Recipe(
            "two_tags",
            "Photos with two tags at once, here a motor vehicle and a dog",
            """
SELECT a.path
FROM image_tags AS a
JOIN image_tags AS b ON b.root = a.root AND b.path = a.path
WHERE a.category = 'motor vehicle' AND b.category = 'dog'
""",
        ),
        Recipe(
            "best_of_each",
            "The best photo of each category",
            """
SELECT category, path, score
FROM (
    SELECT category, path, score, ROW_NUMBER() OVER (PARTITION BY category ORDER BY score DESC, path) AS place
    FROM image_tags
) AS ranked
WHERE place = 1
ORDER BY category
""",
        ),
        Recipe(
            "copies",
            "Copies of one and the same file",
            """
SELECT sha256, COUNT(*) AS copies, MIN(path) AS first_path
FROM top1
GROUP BY sha256
HAVING COUNT(*) > 1
ORDER BY copies DESC
""",
        ),
        Recipe(
            "unsure",
            "Photos to look at yourself: the best label is unsure, and no tag is worth showing",
            """
SELECT t.path, t.label, t.score
FROM top1 AS t
WHERE t.score < 0.4
  AND NOT EXISTS (SELECT 1 FROM image_tags AS g WHERE g.root = t.root AND g.path = t.path)
ORDER BY t.score
""",
        ),
        Recipe(
            "models_disagree",
            "Photos on which two models disagree, once both have classified them",
            """
SELECT a.path, a.model AS one_model, a.label AS one_label, b.model AS other_model, b.label AS other_label
FROM results AS a
JOIN results AS b ON b.root = a.root AND b.path = a.path AND b.rank = 1 AND b.model > a.model
WHERE a.rank = 1 AND a.wnid <> b.wnid
ORDER BY a.score + b.score DESC
""",
        ),
    ),
    "Collections": (
        Recipe(
            "categories",
            "What is in the collection",
            """
SELECT category, category_zh, COUNT(*) AS photos
FROM image_tags
GROUP BY category, category_zh
ORDER BY photos DESC, category
LIMIT 20
""",
        ),
        Recipe(
            "by_month",
            "Albums by month: what each month shows, as the cameras dated it",
            """
SELECT taken_month, category, COUNT(*) AS photos
FROM image_tags
WHERE taken_month IS NOT NULL
GROUP BY taken_month, category
ORDER BY taken_month DESC, photos DESC
""",
        ),
        Recipe(
            "in_may",
            "Animals in the month of May, of any year",
            """
SELECT path, taken_at FROM image_tags WHERE category = 'animal' AND taken_month LIKE '%-05' ORDER BY taken_at
""",
        ),
        Recipe(
            "cameras",
            "Which cameras took the photos, and when for the first and the last time",
            """
SELECT camera, COUNT(*) AS photos, MIN(taken_at) AS first_photo, MAX(taken_at) AS last_photo
FROM contents
WHERE camera IS NOT NULL
GROUP BY camera
ORDER BY photos DESC
""",
        ),
    ),
    "What lies behind": (
        Recipe(
            "members",
            "What a tag covers, when a name does not find what you expect",
            """
SELECT l.name, l.name_zh
FROM labels AS l
JOIN label_categories AS lc ON lc.class_wnid = l.wnid
JOIN categories AS c ON c.wnid = lc.category_wnid
WHERE c.name = 'dog'
ORDER BY l.name
""",
        ),
        Recipe(
            "hidden_tags",
            "WordNet's further ancestors (placental mammal), and scores too low for image_tags",
            """
SELECT g.name, t.score
FROM tags AS t
JOIN categories AS g ON g.wnid = t.wnid
WHERE NOT g.curated
ORDER BY t.score DESC
LIMIT 20
""",
        ),
        Recipe(
            "failures",
            "What could not be classified, and why",
            """
SELECT error_code, COUNT(*) AS images FROM failures GROUP BY error_code ORDER BY images DESC
""",
        ),
        Recipe(
            "states",
            "How many images are in which state",
            """
SELECT status, COUNT(*) AS images FROM images GROUP BY status
""",
        ),
    ),
}
